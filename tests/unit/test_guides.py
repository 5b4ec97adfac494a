"""What the guides tell an author to write compiles as it stands."""

import re
from pathlib import Path

from loopy.compiler.compile import compile_project

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def blocks(guide: str, language: str) -> list[str]:
    """The code of one language in a guide, in order."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_project_of_the_guides_compiles() -> None:
    steps = dict(zip(("sort", "reproduce", "answer"), blocks("write-a-workflow.md", "markdown"), strict=True))
    sensors = blocks("write-a-sensor.md", "python")
    files = {
        "registry.yml": "".join(blocks("write-a-workflow.md", "yaml")).encode(),
        **{f"workflows/support/{name}.md": text.encode() for name, text in steps.items()},
        **{f"sensors/{number}.py": text.encode() for number, text in enumerate(sensors)},
    }
    compiled = compile_project(files)
    assert compiled.diagnostics == []
    assert compiled.plan is not None
    assert len(compiled.plan.sensors) == 2
