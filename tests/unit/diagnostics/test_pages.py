"""Every code has a page, and what a page shows as wrong and right is so."""

from importlib.resources import files

import pytest

from loopy.compiler.compile import compile_project
from loopy.diagnostics.codes import CODES, severity_of
from tests.support.literate import files_of

PAGES = {code: (files("loopy.diagnostics") / "pages" / f"{code}.md") for code in CODES}
# A bug of ours has no example; what is not text cannot stand in a page.
WITHOUT_EXAMPLE = ("LP901",)
SHOWN = [code for code in sorted(CODES) if code not in WITHOUT_EXAMPLE and "## Wrong" in PAGES[code].read_text("utf-8")]


def _project(code: str, section: str) -> dict[str, bytes]:
    page = PAGES[code].read_text(encoding="utf-8")
    _, _, rest = page.partition(f"## {section}\n")
    return {path: text.encode() for path, text in files_of(rest.partition("\n## ")[0])}


@pytest.mark.parametrize("code", sorted(CODES))
def test_each_code_has_a_page_under_its_title(code: str) -> None:
    first, _, rest = PAGES[code].read_text(encoding="utf-8").partition("\n")
    assert first == f"# {code}: {CODES[code][1]}"
    assert rest.strip()


@pytest.mark.parametrize("code", SHOWN)
def test_what_a_page_calls_wrong_gives_its_code_and_no_other_error(code: str) -> None:
    found = compile_project(_project(code, "Wrong")).diagnostics
    assert code in [d.code for d in found]
    assert {d.code for d in found if d.severity == "error"} <= {code}


@pytest.mark.parametrize("code", SHOWN)
def test_what_a_page_calls_right_compiles_without_its_code(code: str) -> None:
    compiled = compile_project(_project(code, "Right"))
    assert compiled.plan is not None, compiled.diagnostics
    assert code not in [d.code for d in compiled.diagnostics]


def test_nearly_every_code_shows_an_example() -> None:
    assert len(SHOWN) >= len(CODES) - 8
    assert {severity_of(code) for code in SHOWN} == {"error", "warning"}
