"""`@tool` functions under `tools/`."""

import ast

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.project.model import ToolDecl
from loopy.project.python import Decorated, PythonFile


def read_tools(path: str, text: str) -> tuple[list[ToolDecl], list[Diagnostic]]:
    """The tools of a file under `tools/`."""
    file = PythonFile(path, text)
    tools = []
    for found in file.decorated:
        if found.kind == "tool":
            tools.append(_tool(file, found))
        else:
            hint = "move it to a file under `sensors/`"
            file.report(
                "LP710", "a `@sensor` under `tools/` is not found", file.span(found.decorator), "here", hint=hint
            )
    return tools, file.diagnostics


def _tool(file: PythonFile, found: Decorated) -> ToolDecl:
    name = file.name(found.function)
    given: list[ast.expr | ast.keyword] = [*found.call.args, *found.call.keywords] if found.call else []
    for argument in given:
        file.report("LP706", "`@tool` takes no arguments", file.span(argument), "unknown", hint="write `@tool` alone")
    description = (ast.get_docstring(found.function) or "").strip()
    if not description:
        hint = f'begin the function with `"""What {name.value} does."""`'
        file.report("LP711", f"the tool `{name.value}` has no docstring", name.span, "the agent reads it", hint=hint)
    return ToolDecl(name, file.path, description)
