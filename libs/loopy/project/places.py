"""Which file of a project is what, by its path alone; and which was meant to be one, but lies beside its place."""

from typing import Literal, TypeAlias

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.span import Span

REGISTRY = "registry.yml"

Kind: TypeAlias = Literal["registry", "step", "skill", "sensors", "tools", "misplaced"]

_LIKE_STEPS = (".md", ".markdown")


def kind_of(path: str) -> Kind | None:
    """What a path's file is; None for a file that is nobody's business."""
    if path == REGISTRY:
        return "registry"
    top, _, rest = path.partition("/")
    name = rest.rpartition("/")[2]
    match top:
        case "workflows":
            return _step(rest, name)
        case "skills":
            return "skill" if name == "SKILL.md" else "misplaced" if name.lower() == "skill.md" else None
        case "sensors" | "tools":
            return top if name.endswith(".py") else None
        case _:
            return None


def _step(rest: str, name: str) -> Kind | None:
    """A step, or Markdown elsewhere under `workflows/`; a README that lies in no workflow is for people."""
    in_workflow = rest.count("/") == 1
    if in_workflow and name.endswith(".md"):
        return "step"
    if not name.lower().endswith(_LIKE_STEPS) or (name.lower() == "readme.md" and not in_workflow):
        return None
    return "misplaced"


def misplaced(path: str) -> Diagnostic:
    """The diagnostic of a file that was probably meant to be read."""
    name = path.rpartition("/")[2]
    if path.startswith("skills/"):
        headline, hint = f"a skill's file is called `SKILL.md`, not `{name}`", "rename it"
    elif path.count("/") == 2:
        stem = name.rpartition(".")[0]
        headline, hint = f"a step's name ends in `.md`, which `{name}` does not", f"rename it to `{stem}.md`"
    else:
        headline = f"`{path}` is not where a step lies: nothing reads it"
        hint = "a step is called `workflows/<workflow>/<step>.md`; keep what is no step outside of `workflows/`"
    return Diagnostic("LP121", headline, Span(path), help=hint)
