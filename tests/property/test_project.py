"""What holds of every file, whatever is in it."""

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.project import yamlspan
from loopy.project.files import load_files
from loopy.project.read import read_project

AI_SRE = load_files(Path(__file__).parents[1] / "fixtures" / "ai-sre")
PATHS = ("registry.yml", "workflows/w/s.md", "sensors/s.py", "tools/t.py", "skills/a/SKILL.md")

_yamlish = st.text(st.sampled_from("ab:,-?[]{}#&*!|>'\"%@` \n\té→\u2028\ufeff0.~<")).map(str.encode)
_WORDS = [
    *b"on after agent output emits budget enum[a, b] agents events fields str - : { } [ ] , ---".split(),
    *b'cron(" ") &a *a @sensor( def f(): webhook= "/x" loopy import'.split(),
    *(b": ", b"\n", b"---\n", b"  ", b"\r\n", b"\t", b"\xff", b"\x00", b"\xef\xbb\xbf", "é".encode()),
]
_wordy = st.lists(st.sampled_from(_WORDS), max_size=30).map(b"".join)
_content = st.one_of(st.binary(), _yamlish, _wordy)


def _mutations() -> st.SearchStrategy[dict[str, bytes]]:
    """The AI SRE project with one stretch of one file replaced."""

    def replaced(path: str, at: float, length: int, put: bytes) -> dict[str, bytes]:
        content = AI_SRE[path]
        start = int(at * len(content))
        return {**AI_SRE, path: content[:start] + put + content[start + length :]}

    return st.builds(replaced, st.sampled_from(sorted(AI_SRE)), st.floats(0, 1), st.integers(0, 40), _content)


def _check_spans(diagnostics: list[Diagnostic], sources: dict[str, str]) -> None:
    for diagnostic in diagnostics:
        for span in (diagnostic.span, *(label.span for label in diagnostic.also)):
            lines = sources[span.path].split("\n")
            assert 1 <= span.line <= span.end_line <= len(lines), (diagnostic, sources)
            assert 1 <= span.column <= len(lines[span.line - 1]) + 1, (diagnostic, sources)
            assert 1 <= span.end_column <= len(lines[span.end_line - 1]) + 1, (diagnostic, sources)
            assert (span.line, span.column) <= (span.end_line, span.end_column), (diagnostic, sources)


def _read_everywhere(files: dict[str, bytes]) -> None:
    """With libyaml, and with PyYAML's own parser that stands in for it."""
    for loader in (yaml.CBaseLoader, yaml.BaseLoader):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(yamlspan, "_LOADER", loader)
            project, diagnostics = read_project(files)
        _check_spans(diagnostics, project.sources)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PATHS), st.sampled_from([b"", b"---\n"]), _content, st.sampled_from([b"", b"\n---\nprose\n"]))
@example("registry.yml", b"", b"a: |\n  x\n\n\n", b"")
@example("registry.yml", b"", b'a: "x\n\n', b"")
def test_arbitrary_bytes_are_read_and_what_is_reported_lies_inside_the_file(
    path: str, before: bytes, content: bytes, after: bytes
) -> None:
    _read_everywhere({path: before + content + after})


@settings(max_examples=300, deadline=None)
@given(_mutations())
def test_a_damaged_project_is_read_and_what_is_reported_lies_inside_the_files(files: dict[str, bytes]) -> None:
    _read_everywhere(files)
