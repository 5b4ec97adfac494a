"""Rules of the house that no tool knows: what the documents say is so, and everything lies where it is looked for."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from loopy.cli.commands import COMMANDS
from loopy.diagnostics.codes import CODES
from tests.support import diagnostics_page

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "libs" / "loopy" / "diagnostics" / "pages"
SERVICES = ROOT / "services" / "loopy_services"
LONGEST_MODULE = 300
LONGEST_TEST_MODULE = 400


@cache
def files(suffix: str = "") -> tuple[Path, ...]:
    """Every file of the repository that git tracks or would, by path."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return tuple(sorted(ROOT / name for name in listed if name.endswith(suffix) and (ROOT / name).is_file()))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_code_has_its_page_and_every_page_its_code() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == set(CODES)


def test_the_reference_lists_every_diagnostic() -> None:
    assert diagnostics_page.PAGE.read_text(encoding="utf-8") == diagnostics_page.page()


def anchors(document: Path) -> set[str]:
    """The fragments that a Markdown file's headings answer to."""
    headings = re.findall(r"^#{1,6} +(.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(document: Path) -> Iterator[str]:
    """The relative links of a Markdown file; what stands in code is none."""
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            yield target


def leads_somewhere(document: Path, link: str) -> bool:
    path, _, fragment = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    return target.exists() and (not fragment or fragment in anchors(target))


def test_every_link_leads_somewhere() -> None:
    dead = [
        f"{shown(document)}: {link}"
        for document in files(".md")
        if "fixtures" not in document.parts
        for link in links(document)
        if not leads_somewhere(document, link)
    ]
    assert dead == []


def test_every_document_can_be_reached_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    seen, waiting = {index}, [index]
    while waiting:
        document = waiting.pop()
        targets = {(document.parent / link.partition("#")[0]).resolve() for link in links(document)}
        new = {target for target in targets if target.suffix == ".md" and target.exists()} - seen
        seen |= new
        waiting += new
    assert [shown(document) for document in files(".md") if "docs" in document.parts and document not in seen] == []


def test_every_service_is_whole() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entry_points = project["entry-points"]["loopy.services"]
    services = sorted(path.name for path in SERVICES.iterdir() if (path / "__init__.py").exists())
    assert sorted(entry_points) == services
    for name in services:
        assert entry_points[name] == f"loopy_services.{name}.service:serve"
        for file in ("README.md", "__main__.py", "core.py", "service.py"):
            assert (SERVICES / name / file).is_file(), f"{name} has no {file}"


@pytest.mark.parametrize("service", sorted(path.parent.name for path in SERVICES.glob("*/README.md")))
def test_a_service_tells_why_it_sets_messages_aside(service: str) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (SERVICES / service).glob("*.py"))
    told = (SERVICES / service / "README.md").read_text(encoding="utf-8")
    reasons = set(re.findall(r'\b(?:DeadLetter|HarnessError)\(\s*"(\w+)"', code))
    assert {reason for reason in reasons if f"`{reason}`" not in told} == set()


def test_no_module_is_too_long_to_be_read_at_once() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files(".py")}
    too_long = {
        path: length
        for path, length in lengths.items()
        if length > (LONGEST_TEST_MODULE if path.startswith("tests/") else LONGEST_MODULE)
    }
    assert too_long == {}


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    here = re.compile(rf"{re.escape(str(ROOT))}\b|(?<![\w.])/(?:home|root|Users)/[\w.]+".encode())
    assert [shown(path) for path in files() if here.search(path.read_bytes())] == []


def test_every_make_command_in_the_documents_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {
        (shown(document), target)
        for document in files(".md")
        for target in re.findall(r"(?:`|^\$ |^)make ([a-z-]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {(document, target) for document, target in named if target not in targets} == set()
    assert {"run", "test"} <= {target for document, target in named if document == "README.md"}


def test_every_command_in_the_documents_exists() -> None:
    commands = {command.name for command in COMMANDS}
    named = {
        (shown(document), command)
        for document in files(".md")
        for command in re.findall(r"(?:`|^\$ )loopy ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {(document, command) for document, command in named if command not in commands} == set()


def code_map() -> dict[str, set[str]]:
    """The modules of each package, as ARCHITECTURE.md's code map lists them."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `((?:libs|services)/[\w/]+/)` \|([^|]*)\|", text, re.MULTILINE)
    return {package: set(re.findall(r"`(\w+)`", modules)) for package, modules in rows}


def packages() -> dict[str, set[str]]:
    """The modules that there are, by package; `__init__` and `__main__` are every package's own."""
    found: dict[str, set[str]] = {}
    for path in files(".py"):
        if path.is_relative_to(ROOT / "tests"):
            continue
        if path.parent.joinpath("__init__.py").exists() and not path.stem.startswith("__"):
            found.setdefault(f"{shown(path.parent)}/", set()).add(path.stem)
    return found


@pytest.mark.parametrize("package", sorted(packages().keys() | code_map().keys()))
def test_every_module_lies_where_the_code_map_says(package: str) -> None:
    assert code_map().get(package) == packages().get(package)
