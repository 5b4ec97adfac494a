"""Skills: `skills/**/SKILL.md` in the format of agentskills.io."""

import re

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.span import Span
from loopy.project.frontmatter import read_headed
from loopy.project.model import SkillDecl, Word
from loopy.project.shapes import Shapes
from loopy.project.tree import Pairs

MAX_NAME = 64
MAX_DESCRIPTION = 1024
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def read_skill(path: str, text: str) -> tuple[SkillDecl, list[Diagnostic]]:
    """The skill of a `SKILL.md`. Keys beyond `name` and `description` are the format's own business."""
    headed, diagnostics = read_headed(path, text)
    reference = path.removeprefix("skills/").removesuffix("SKILL.md").strip("/")
    if headed.header is None:
        return SkillDecl(reference, path), diagnostics
    shapes = Shapes(diagnostics, shape="LP712", unknown="LP712")
    name = _word(shapes, headed.header, "name", path)
    if name is not None:
        _check_name(shapes, name, reference)
    description = _word(shapes, headed.header, "description", path)
    if description is not None and len(description.value) > MAX_DESCRIPTION:
        headline = f"the description has {len(description.value)} characters, {MAX_DESCRIPTION} are allowed"
        shapes.report("LP712", headline, description.span, "too long")
    return SkillDecl(reference, path, name, description), diagnostics


def _word(shapes: Shapes, header: Pairs, key: str, path: str) -> Word | None:
    if (entry := header.get(key)) is not None:
        return shapes.word(entry, "text")
    shapes.report("LP712", f"the skill lacks `{key}`", Span.of(path, 1, 1, 3), f"no `{key}:` in this header")
    return None


def _check_name(shapes: Shapes, name: Word, reference: str) -> None:
    directory = reference.rpartition("/")[2]
    if not _NAME.fullmatch(name.value) or len(name.value) > MAX_NAME:
        hint = f"lower-case letters, digits and single hyphens, at most {MAX_NAME}"
        shapes.report("LP713", f"a skill cannot be called `{name.value}`", name.span, "not a skill's name", hint=hint)
    elif not directory:
        hint = f"move it to `skills/{name.value}/SKILL.md`"
        shapes.report("LP713", "a skill has a directory of its own", name.span, "directly under `skills/`", hint=hint)
    elif name.value != directory:
        hint = f"call it `{directory}`, or rename the directory"
        shapes.report(
            "LP713", f"the skill in `{directory}/` calls itself `{name.value}`", name.span, "another name", hint=hint
        )
