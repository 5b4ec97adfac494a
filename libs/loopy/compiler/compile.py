"""The compiler's entry: the files of a project in, a plan or every mistake out."""

from collections.abc import Callable, Mapping

import msgspec

from loopy.compiler.build import build_plan, limits_of
from loopy.compiler.costs import check_costs
from loopy.compiler.name_rules import check_naming
from loopy.compiler.plan import Plan
from loopy.compiler.references import check_references
from loopy.compiler.resolve import Broken, Names
from loopy.compiler.schedules import check_schedules
from loopy.compiler.sensors import check_webhooks
from loopy.compiler.steps import check_steps
from loopy.compiler.tools import undefined_tools, warn_of_undefined
from loopy.compiler.usage import warn_of_loops, warn_of_unproduced, warn_of_unused
from loopy.compiler.workflows import Shape, shape_workflow
from loopy.diagnostics.diagnostic import Diagnostic, in_order
from loopy.diagnostics.span import Span
from loopy.project.model import ProjectDecl, StepDecl
from loopy.project.read import read_project


class Compiled(msgspec.Struct, frozen=True):
    """The outcome: `plan` is None exactly when some diagnostic is an error. `sources` are the files' texts, by path."""

    plan: Plan | None
    diagnostics: list[Diagnostic]
    sources: dict[str, str]

    def count(self, severity: str) -> int:
        """How many diagnostics have this severity."""
        return sum(diagnostic.severity == severity for diagnostic in self.diagnostics)


def compile_project(files: Mapping[str, bytes]) -> Compiled:
    """Compile a project, given as the bytes of its files by path. Never raises: a bug of ours is a diagnostic too."""
    try:
        project, diagnostics = read_project(files)
        return _compile(project, diagnostics)
    except Exception as exc:  # noqa: BLE001 - no input may make a command print a traceback; the bug is reported
        return Compiled(None, [_our_bug(exc)], {})


def _compile(project: ProjectDecl, found: list[Diagnostic]) -> Compiled:
    diagnostics = list(found)
    report = diagnostics.append
    broken = Broken.of(diagnostics)
    names = Names(project, broken)
    shapes = [shape_workflow(name, steps, broken, report) for name, steps in _by_workflow(project).items()]
    check_naming(project, report)
    check_references(project, names, broken, report)
    check_schedules(project, shapes, report)
    check_webhooks(project.sensors, report)
    check_costs(project, names, report)
    for shape in shapes:
        check_steps(shape, names, broken, project.sources, report)
    undefined = undefined_tools(project.registry, names, broken)
    for tool in undefined:
        warn_of_undefined(tool, names, report)
    if names.has_registry and not broken.paths:
        _warn(project, names, shapes, report)
    diagnostics = in_order(diagnostics)
    if any(diagnostic.severity == "error" for diagnostic in diagnostics):
        return Compiled(None, diagnostics, project.sources)
    return Compiled(build_plan(project, shapes, undefined), diagnostics, project.sources)


def _warn(project: ProjectDecl, names: Names, shapes: list[Shape], report: Callable[[Diagnostic], None]) -> None:
    """Remarks on the project as a whole, which only make sense when all of it could be read."""
    warn_of_unused(project, names, report)
    warn_of_unproduced(project, names, report)
    warn_of_loops(shapes, limits_of(project.registry.limits), report)


def _by_workflow(project: ProjectDecl) -> dict[str, list[StepDecl]]:
    workflows: dict[str, list[StepDecl]] = {}
    for step in sorted(project.steps, key=lambda step: (step.workflow, step.name)):
        workflows.setdefault(step.workflow, []).append(step)
    return workflows


def _our_bug(exc: Exception) -> Diagnostic:
    where = exc.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f"{where.tb_frame.f_globals.get('__name__')}:{where.tb_lineno}" if where is not None else "?"
    return Diagnostic(
        "LP901",
        f"Loopy has a bug: {type(exc).__name__} in {place}",
        Span.of("registry.yml", 1, 1),
        help="your project is not to blame; please report it, with the files that brought it about",
    )
