"""What the registry, steps and sensors refer to: it must exist."""

from loopy.compiler.catalogue import PROVIDERS, RUNTIMES
from loopy.compiler.resolve import AGENT, EVENT, SANDBOX, SKILL, Broken, Names, Report, report_repeats
from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.span import Span
from loopy.diagnostics.suggest import did_you_mean, listed
from loopy.project.model import AgentDecl, ExpectDecl, OnEvent, ProjectDecl, SensorDecl, StepDecl, Word


def check_references(project: ProjectDecl, names: Names, broken: Broken, report: Report) -> None:
    """Report every name that nothing declares."""
    if not names.has_registry and project.steps:
        empty = project.registry.path in project.sources
        headline = "registry.yml declares nothing" if empty else "the project has no registry.yml"
        help_ = "declare in it the agents and events that the steps name"
        report(Diagnostic("LP300", headline, Span.of("registry.yml", 1, 1), help=help_))
    _registry(project, names, report)
    for step in project.steps:
        _step(step, names, broken, report)
    for sensor in project.sensors:
        _sensor(sensor, names, report)
    classes = {"TypedEvent", "bind", *(event.replace(".", "_") for event in names.events)}
    emitted = {(sensor.path, event.value) for sensor in project.sensors for event in sensor.emits}
    for imported in project.event_classes:
        # What the file's own sensors emit has been looked up already.
        if imported.value not in classes and (imported.span.path, imported.value) not in emitted:
            names.resolve(EVENT, imported, report)


def _registry(project: ProjectDecl, names: Names, report: Report) -> None:
    registry = project.registry
    for agent in (*filter(None, (registry.defaults,)), *registry.agents):
        _agent(agent, names, report)
    for sandbox in registry.sandboxes:
        if sandbox.provider is not None and sandbox.provider.value not in PROVIDERS:
            report(_unknown("LP308", "provider", sandbox.provider, PROVIDERS))
    for expectation in registry.expectations:
        _expectation(expectation, names, report)
    for limit in registry.limits.workflows:
        if limit.name.value not in names.workflows:
            report(_unknown("LP309", "workflow", limit.name, tuple(sorted(names.workflows))))
    for agent in registry.agents:
        _command(agent, registry.defaults, report)


def _agent(agent: AgentDecl, names: Names, report: Report) -> None:
    runtime = agent.harness.runtime
    if runtime is not None and runtime.value not in RUNTIMES:
        report(_unknown("LP307", "runtime", runtime, tuple(RUNTIMES)))
    if agent.sandbox is not None:
        names.resolve(SANDBOX, agent.sandbox, report)
    report_repeats(agent.tools or (), report)
    for skill in report_repeats(agent.skills or (), report):
        names.resolve(SKILL, skill, report)


def _command(agent: AgentDecl, defaults: AgentDecl | None, report: Report) -> None:
    harness = agent.harness
    inherited = defaults.harness if defaults is not None else None
    runtime = harness.runtime or (inherited.runtime if inherited is not None else None)
    commands = harness.run or (inherited.run if inherited is not None else None)
    if runtime is not None and runtime.value == "command" and not commands:
        headline = f"the agent `{agent.name.value}` runs a command, but which one is not said"
        help_ = "write `harness: { runtime: command, run: [program, argument] }`"
        report(Diagnostic("LP312", headline, (harness.runtime or agent.name).span, "needs `run:`", help=help_))


def _expectation(expectation: ExpectDecl, names: Names, report: Report) -> None:
    names.resolve(EVENT, expectation.first, report)
    names.resolve(EVENT, expectation.then, report)


def _step(step: StepDecl, names: Names, broken: Broken, report: Report) -> None:
    if isinstance(step.on, OnEvent):
        names.resolve(EVENT, step.on.event, report)
    if step.agent is not None:
        names.resolve(AGENT, step.agent, report)
    elif "agent" not in step.keys and not broken.file(step.path):
        headline = f"the step `{step.name}` has no agent: nobody runs it"
        known = sorted(names.agents)
        help_ = f"write `agent: {known[0]}`, or another of the registry's agents" if known else "write `agent:`"
        report(Diagnostic("LP313", headline, step.span, "needs `agent:`", help=help_))
    for event in report_repeats([emission.event for emission in step.emits], report):
        names.resolve(EVENT, event, report)


def _sensor(sensor: SensorDecl, names: Names, report: Report) -> None:
    for event in report_repeats(sensor.emits, report):
        names.resolve(EVENT, event, report)


def _unknown(code: str, noun: str, word: Word, known: tuple[str, ...]) -> Diagnostic:
    help_ = did_you_mean(word.value, known) or (f"there is {listed(known)}" if known else "")
    return Diagnostic(code, f"there is no {noun} `{word.value}`", word.span, f"unknown {noun}", help=help_)
