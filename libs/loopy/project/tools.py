"""`@tool` functions under `tools/`."""

import ast

from loopy.project.model import ToolDecl
from loopy.project.python import Decorated, PythonFile
from loopy.project.signature import takes_first


def read_tools(file: PythonFile) -> list[ToolDecl]:
    """The tools of a file under `tools/`."""
    tools = []
    for found in file.decorated:
        if found.kind == "tool":
            tools.append(_tool(file, found))
        else:
            hint = "move it to a file under `sensors/`"
            file.report(
                "LP710", "a `@sensor` under `tools/` is not found", file.span(found.decorator), "here", hint=hint
            )
    return tools


def _tool(file: PythonFile, found: Decorated) -> ToolDecl:
    name = file.name(found.function)
    given: list[ast.expr | ast.keyword] = [*found.call.args, *found.call.keywords] if found.call else []
    for argument in given:
        file.report("LP706", "`@tool` takes no arguments", file.span(argument), "unknown", hint="write `@tool` alone")
    if not takes_first(found.function.args, "ToolContext"):
        headline = f"the tool `{name.value}` cannot be called: its first argument must be its context"
        hint = f"write `def {name.value}(ctx: ToolContext, …)`"
        file.report("LP714", headline, name.span, "is given a `ToolContext` first", hint=hint)
    description = (ast.get_docstring(found.function) or "").strip()
    if not description:
        hint = f'begin the function with `"""What {name.value} does."""`'
        file.report("LP711", f"the tool `{name.value}` has no docstring", name.span, "the agent reads it", hint=hint)
    return ToolDecl(name, file.path, description)
