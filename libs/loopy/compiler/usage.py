"""What a project declares and never uses, awaits and never gets, and starts again and again."""

from collections.abc import Iterable

from loopy.compiler.graph import Graph
from loopy.compiler.plan import Limits
from loopy.compiler.resolve import Names, Report
from loopy.compiler.workflows import Shape
from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.span import Span
from loopy.project.model import OnEvent, ProjectDecl, StepDecl, Word


def warn_of_unused(project: ProjectDecl, names: Names, report: Report) -> None:
    """Agents, sandboxes, events and skills that nothing refers to."""
    registry = project.registry
    for code, noun, words, reason in (
        ("LP804", "agent", [agent.name for agent in registry.agents], "no step has it"),
        ("LP805", "sandbox", [sandbox.name for sandbox in registry.sandboxes], "no agent runs in it"),
        ("LP806", "event", [event.name for event in registry.events], "no step or sensor has it"),
    ):
        for word in words:
            if (noun, word.value) not in names.used:
                headline = f"the {noun} `{word.value}` is never used: {reason}"
                report(Diagnostic(code, headline, word.span, help="use it, or remove it"))
    for skill in project.skills:
        if ("skill", skill.reference) not in names.used:
            headline = f"the skill `{skill.reference}` is never used: no agent has it"
            report(Diagnostic("LP807", headline, Span.of(skill.path, 1, 1), help="give it to an agent, or remove it"))


def warn_of_unproduced(project: ProjectDecl, names: Names, report: Report) -> None:
    """Triggers on events that no step and no sensor emits."""
    emitted = {emission.event.value for step in project.steps for emission in step.emits}
    emitted |= {event.value for sensor in project.sensors for event in sensor.emits}
    for step in project.steps:
        if isinstance(step.on, OnEvent) and step.on.event.value not in emitted and step.on.event.value in names.events:
            event = step.on.event
            headline = f"nothing produces `{event.value}`: no step and no sensor emits it"
            help_ = f"write a sensor that emits it; until then, `loopy trigger {event.value}` starts `{step.workflow}`"
            report(Diagnostic("LP802", headline, event.span, help=help_))


def warn_of_loops(shapes: Iterable[Shape], limits: Limits, report: Report) -> None:
    """Workflows that start each other by what they emit."""
    workflows = {shape.name: shape for shape in shapes}
    emitters: dict[str, list[str]] = {}
    for name, shape in workflows.items():
        for event in {emission.event.value for step in shape.steps.values() for emission in step.emits}:
            emitters.setdefault(event, []).append(name)
    parents = {name: tuple(emitters.get(_trigger(shape), ())) for name, shape in workflows.items()}
    for cycle in Graph(parents).cycles():
        report(_loop(cycle, workflows, limits))


def _loop(cycle: list[str], workflows: dict[str, Shape], limits: Limits) -> Diagnostic:
    path = " → ".join(f"{name} → {_trigger(workflows[after])}" for name, after in _links(cycle))
    word = _emission(workflows[cycle[-1]], _trigger(workflows[cycle[0]]))
    headline = f"workflows start each other: {path} → {cycle[0]}"
    help_ = (
        f"a cascade ends after {limits.cascade_hops} hops or {limits.cascade_runs} runs (`limits: cascade:`);"
        " see that some step stops emitting before that"
    )
    return Diagnostic("LP803", headline, word.span, "closes the circle", help=help_)


def _links(cycle: list[str]) -> Iterable[tuple[str, str]]:
    return zip(cycle, [*cycle[1:], cycle[0]], strict=True)


def _trigger(shape: Shape) -> str:
    """The event that starts a workflow; empty for a schedule."""
    on = shape.entry.on if shape.entry is not None else None
    return on.event.value if isinstance(on, OnEvent) else ""


def _emission(shape: Shape, event: str) -> Word:
    steps: Iterable[StepDecl] = shape.steps.values()
    return next(emission.event for step in steps for emission in step.emits if emission.event.value == event)
