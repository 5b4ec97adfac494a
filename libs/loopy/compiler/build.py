"""From declarations without errors to the plan: defaults merged, names sorted, types as their authors spell them."""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from loopy.compiler.catalogue import DEFAULT_RUNTIME, PRICES, RUNTIMES
from loopy.compiler.plan import (
    DEFAULT_EMIT_MAX,
    DEFAULT_WALL_CLOCK_S,
    Agent,
    Budget,
    Concurrency,
    CronTrigger,
    Emission,
    EventTrigger,
    Expectation,
    Fields,
    Image,
    Limits,
    McpServer,
    Plan,
    PollSource,
    Price,
    Resources,
    Retry,
    Sandbox,
    Sensor,
    Skill,
    Step,
    Tool,
    Trigger,
    WebhookSource,
    Workflow,
)
from loopy.compiler.tools import UndefinedTool, tools_of
from loopy.compiler.workflows import Shape
from loopy.project.model import (
    AgentDecl,
    FieldDecl,
    HarnessDecl,
    LimitsDecl,
    OnCron,
    OnEvent,
    ProjectDecl,
    RegistryDecl,
    SandboxDecl,
    SensorDecl,
    StepDecl,
)
from loopy.types.parse import spec_of


def build_plan(project: ProjectDecl, shapes: Iterable[Shape], undefined: Iterable[UndefinedTool]) -> Plan:
    """The plan of a project in which no error was found."""
    registry = project.registry
    return Plan(
        workflows={shape.name: _workflow(shape) for shape in shapes},
        events={event.name.value: _fields(event.fields) for event in registry.events},
        agents={agent.name.value: merged_agent(agent, registry.defaults) for agent in registry.agents},
        sandboxes={sandbox.name.value: _sandbox(sandbox) for sandbox in registry.sandboxes},
        sensors={sensor.name.value: _sensor(sensor) for sensor in project.sensors},
        tools={tool.name.value: Tool(tool.name.value, tool.path, tool.description) for tool in project.tools},
        mcp_servers={
            server.name.value: McpServer(server.name.value, server.url.value, server.headers)
            for server in registry.mcp_servers
        },
        skills={
            skill.reference: _skill(skill.path, skill.description.value if skill.description else "")
            for skill in project.skills
        },
        limits=limits_of(registry.limits),
        prices=prices_of(registry),
        expectations=tuple(Expectation(e.first.value, e.then.value, e.within_s) for e in registry.expectations),
        undefined_tools={tool.word.value: tool.agents for tool in undefined},
        namespace=registry.namespace.value if registry.namespace else None,
        sources=_hashes(project.sources),
    )


def merged_agent(agent: AgentDecl, defaults: AgentDecl | None) -> Agent:
    """An agent with the registry's defaults where it says nothing.

    The defaults' model goes with the defaults' runtime: an agent of another runtime has that runtime's usual model.
    """
    base = defaults if defaults is not None else AgentDecl(agent.name)
    runtime = _runtime(agent.harness) or _runtime(base.harness) or DEFAULT_RUNTIME
    inherits = runtime == (_runtime(base.harness) or DEFAULT_RUNTIME)
    model = agent.harness.model or (base.harness.model if inherits else None)
    commands = agent.harness.run or (base.harness.run if inherits else None)
    sandbox = agent.sandbox or base.sandbox
    skills = agent.skills if agent.skills is not None else base.skills
    return Agent(
        agent.name.value,
        runtime,
        model=model.value if model is not None else RUNTIMES.get(runtime, ""),
        sandbox=sandbox.value if sandbox is not None else "",
        role=agent.role or base.role or "",
        run=commands or (),
        tools=tuple(tool.value for tool in tools_of(agent, defaults)),
        skills=tuple(skill.value for skill in skills or ()),
    )


def limits_of(limits: LimitsDecl) -> Limits:
    """The limits as written, with defaults where nothing is."""
    default = Limits()
    return Limits(
        cascade_hops=limits.cascade_hops or default.cascade_hops,
        cascade_runs=limits.cascade_runs or default.cascade_runs,
        cascade_usd=limits.cascade_usd,
        day_usd=limits.day_usd,
        workflow_usd={w.name.value: w.spend_usd for w in limits.workflows if w.spend_usd is not None},
        workflow_concurrency={w.name.value: w.concurrency for w in limits.workflows if w.concurrency is not None},
    )


def prices_of(registry: RegistryDecl) -> dict[str, Price]:
    """The built-in table, and over it the registry's."""
    return PRICES | {price.model.value: Price(price.input, price.output) for price in registry.prices}


def _runtime(harness: HarnessDecl) -> str:
    return harness.runtime.value if harness.runtime is not None else ""


def _workflow(shape: Shape) -> Workflow:
    assert shape.entry is not None, f"a workflow without trigger: {shape.name}"
    steps = tuple(_step(shape.steps[name], shape.graph.parents[name]) for name in shape.graph.order)
    return Workflow(shape.name, _trigger(shape.entry), steps, _concurrency(shape.name, shape.entry))


def _trigger(entry: StepDecl) -> Trigger:
    match entry.on:
        case OnEvent():
            return EventTrigger(entry.on.event.value)
        case OnCron():
            return CronTrigger(
                entry.on.expression.value,
                entry.on.zone.value if entry.on.zone is not None else "UTC",
                entry.catch_up.value if entry.catch_up is not None else "one",
                entry.overlap.value if entry.overlap is not None else "skip",
            )
        case None:
            raise AssertionError(f"an entry step without trigger: {entry.path}")


def _concurrency(workflow: str, entry: StepDecl) -> Concurrency | None:
    written = entry.concurrency
    if written is None:
        return None
    name = written.name.value if written.name is not None else workflow
    return Concurrency(name, written.key.value if written.key is not None else "", written.limit)


def _step(step: StepDecl, after: tuple[str, ...]) -> Step:
    return Step(
        step.name,
        step.path,
        step.agent.value if step.agent is not None else "",
        step.prose.text,
        after=after,
        when=step.when.value if step.when is not None else None,
        output=_fields(step.output),
        emits=tuple(Emission(e.event.value, e.max or DEFAULT_EMIT_MAX) for e in step.emits),
        budget=_budget(step),
        retry=_retry(step),
        workspace=step.workspace or "run",
        pool=step.pool.value if step.pool is not None else "default",
        priority=step.priority if step.priority is not None else 5,
    )


def _budget(step: StepDecl) -> Budget:
    if step.budget is None:
        return Budget()
    wall_clock, spend = step.budget.wall_clock_s, step.budget.spend_usd
    return Budget(
        wall_clock.value if wall_clock is not None else DEFAULT_WALL_CLOCK_S,
        spend.value if spend is not None else None,
    )


def _retry(step: StepDecl) -> Retry:
    written, default = step.retry, Retry()
    if written is None:
        return default
    backoff = written.backoff_s if written.backoff_s is not None else default.backoff_s
    longest = written.max_backoff_s if written.max_backoff_s is not None else max(default.max_backoff_s, backoff)
    return Retry(written.attempts or default.attempts, backoff, longest)


def _fields(fields: Iterable[FieldDecl]) -> Fields:
    return {field.name.value: spec_of(field.type) for field in fields}


def _sandbox(sandbox: SandboxDecl) -> Sandbox:
    return Sandbox(
        sandbox.name.value,
        sandbox.provider.value if sandbox.provider is not None else "local",
        msgspec.convert(sandbox.image, Image),
        tuple(host.value for host in sandbox.network),
        sandbox.env_file,
        sandbox.repos,
        Resources(sandbox.cpu, sandbox.memory, sandbox.disk),
        sandbox.isolation,
    )


def _sensor(sensor: SensorDecl) -> Sensor:
    source: WebhookSource | PollSource
    if sensor.webhook is not None:
        source = WebhookSource(sensor.webhook.value, sensor.verify)
    else:
        assert sensor.poll_s is not None, f"a sensor of neither kind: {sensor.path}"
        source = PollSource(sensor.poll_s.value)
    emits = tuple(event.value for event in sensor.emits)
    if sensor.timeout_s is None:
        return Sensor(sensor.name.value, sensor.path, source, emits)
    return Sensor(sensor.name.value, sensor.path, source, emits, sensor.timeout_s)


def _skill(path: str, description: str) -> Skill:
    return Skill(path.rpartition("/")[0], description)


def _hashes(sources: Mapping[str, str]) -> dict[str, str]:
    """16 hexadecimal digits of the SHA-256 of every file but the registry, whose whole content the plan holds."""
    return {
        path: hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        for path, text in sources.items()
        if "/" in path
    }
