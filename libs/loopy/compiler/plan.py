"""The plan: a compiled project as one frozen value, all that a service needs to know of it.

A plan is named by the hash of its content: the same files give the same name on every machine. It travels as JSON, in
which a type stands as an author writes it (`enum[pass, fail]`), so that a person can read a plan.
"""

import hashlib
from typing import Any, Literal, TypeAlias

import msgspec

TypeSpec: TypeAlias = str | dict[str, Any]
Fields: TypeAlias = dict[str, TypeSpec]

DEFAULT_WALL_CLOCK_S = 3600.0
DEFAULT_EMIT_MAX = 10


class Frozen(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The manner of every struct in a plan."""


class EventTrigger(Frozen, frozen=True, tag="event", tag_field="kind"):
    """`on: Incident`."""

    event: str


class CronTrigger(Frozen, frozen=True, tag="cron", tag_field="kind"):
    """`on: cron("0 9 * * *", tz="Europe/Berlin")` and what to do about missed and overlapping firings."""

    expression: str
    zone: str = "UTC"
    catch_up: Literal["one", "all", "none"] = "one"
    overlap: Literal["skip", "queue", "allow"] = "skip"


Trigger: TypeAlias = EventTrigger | CronTrigger


class Emission(Frozen, frozen=True):
    """An event that a step may emit, and how many of it at most."""

    event: str
    max: int = DEFAULT_EMIT_MAX


class Budget(Frozen, frozen=True):
    """A cap on one execution of a step, all attempts counted: seconds of executing, US dollars (None: no cap)."""

    wall_clock_s: float = DEFAULT_WALL_CLOCK_S
    spend_usd: float | None = None


class Retry(Frozen, frozen=True):
    """How often a step is attempted in all, and the seconds waited after the first failure, doubled after each."""

    attempts: int = 3
    backoff_s: float = 30.0
    max_backoff_s: float = 600.0


class Step(Frozen, frozen=True):
    """One step. `after` is empty for the entry step alone; `prose` is the template of the agent's prompt."""

    name: str
    path: str
    agent: str
    prose: str
    after: tuple[str, ...] = ()
    when: str | None = None
    output: Fields = {}
    emits: tuple[Emission, ...] = ()
    budget: Budget = Budget()
    retry: Retry = Retry()
    workspace: Literal["run", "step"] = "run"
    pool: str = "default"
    priority: int = 5


class Concurrency(Frozen, frozen=True):
    """At most `limit` runs at once for each rendered `key` under `name`."""

    name: str
    key: str = ""
    limit: int = 1


class Workflow(Frozen, frozen=True):
    """A workflow: what starts it, and its steps, each after all that it depends on."""

    name: str
    trigger: Trigger
    steps: tuple[Step, ...]
    concurrency: Concurrency | None = None

    def step(self, name: str) -> Step:
        """The step of that name; KeyError when there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)


class Agent(Frozen, frozen=True):
    """Who runs a step: a runtime, its model, where it runs and what it may use. `run` is for runtime `command`."""

    name: str
    runtime: str
    model: str = ""
    sandbox: str = ""
    role: str = ""
    run: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()


class Image(Frozen, frozen=True):
    """How a sandbox's image is made; the keys are the registry's."""

    debian_slim: str | None = None
    base: str | None = None
    snapshot: str | None = None
    apt: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    workdir: str | None = None
    user: str | None = None


class Resources(Frozen, frozen=True):
    """What a sandbox may use: cores, bytes of memory, bytes of disk (None: the provider's default)."""

    cpu: float | None = None
    memory: int | None = None
    disk: int | None = None


class Sandbox(Frozen, frozen=True):
    """Where agents' code runs. `network` lists what may be reached; empty means nothing but the model."""

    name: str
    provider: str = "local"
    image: Image = Image()
    network: tuple[str, ...] = ()
    env_file: tuple[str, ...] = ()
    repos: tuple[str, ...] = ()
    resources: Resources = Resources()
    isolation: Literal["full", "none"] = "full"


class WebhookSource(Frozen, frozen=True, tag="webhook", tag_field="kind"):
    """`@sensor(webhook="/hooks/sentry", verify="sentry")`."""

    path: str
    verify: str | None = None


class PollSource(Frozen, frozen=True, tag="poll", tag_field="kind"):
    """`@sensor(poll="5m")`."""

    every_s: float


class Sensor(Frozen, frozen=True):
    """A function that turns deliveries or ticks into events. `module` is its file, relative to the project."""

    name: str
    module: str
    source: WebhookSource | PollSource
    emits: tuple[str, ...]
    timeout_s: float = 30.0


class Tool(Frozen, frozen=True):
    """A `@tool` function of the project: its file and what the agent reads of it."""

    name: str
    module: str
    description: str = ""


class McpServer(Frozen, frozen=True):
    """An MCP server of the registry; headers may hold `${NAME}` of the executor's environment."""

    name: str
    url: str
    headers: dict[str, str] = {}


class Skill(Frozen, frozen=True):
    """A skill: `path` is its directory, relative to the project."""

    name: str
    path: str
    description: str = ""


class Limits(Frozen, frozen=True):
    """Limits of one cascade, and of each day and workflow (None: no limit)."""

    cascade_hops: int = 16
    cascade_runs: int = 100
    cascade_usd: float | None = None
    day_usd: float | None = None
    workflow_usd: dict[str, float] = {}
    workflow_concurrency: dict[str, int] = {}


class Price(Frozen, frozen=True):
    """US dollars per million tokens."""

    input: float
    output: float


class Expectation(Frozen, frozen=True):
    """`Incident → GoalShipped within 4h`: in a cascade that has the first event, the second must follow in time."""

    first: str
    then: str
    within_s: float


class Plan(Frozen, frozen=True):
    """A compiled project. Every map is by name.

    `undefined_tools` are those that agents name and nothing defines, each with its agents. `sources` holds, by path, 16
    hexadecimal digits of the SHA-256 of every file but the registry, all of whose content is in the plan itself.
    """

    workflows: dict[str, Workflow] = {}
    events: dict[str, Fields] = {}
    agents: dict[str, Agent] = {}
    sandboxes: dict[str, Sandbox] = {}
    sensors: dict[str, Sensor] = {}
    tools: dict[str, Tool] = {}
    mcp_servers: dict[str, McpServer] = {}
    skills: dict[str, Skill] = {}
    limits: Limits = Limits()
    prices: dict[str, Price] = {}
    expectations: tuple[Expectation, ...] = ()
    undefined_tools: dict[str, tuple[str, ...]] = {}
    namespace: str | None = None
    sources: dict[str, str] = {}

    @property
    def step_count(self) -> int:
        """The number of steps of all workflows."""
        return sum(len(workflow.steps) for workflow in self.workflows.values())

    @property
    def schedules(self) -> dict[str, CronTrigger]:
        """The cron triggers, by the name of the workflow that each starts."""
        return {name: w.trigger for name, w in self.workflows.items() if isinstance(w.trigger, CronTrigger)}

    def started_by(self, event: str) -> tuple[str, ...]:
        """The names of the workflows that an event of this type starts, in order."""
        return tuple(
            sorted(
                name
                for name, w in self.workflows.items()
                if isinstance(w.trigger, EventTrigger) and w.trigger.event == event
            )
        )


_ENCODER = msgspec.json.Encoder(order="sorted")


def encode_plan(plan: Plan) -> bytes:
    """The plan's canonical JSON: maps in sorted order, defaults left out."""
    return _ENCODER.encode(plan)


def plan_hash(plan: Plan) -> str:
    """The plan's name: 16 hexadecimal digits of the SHA-256 of its canonical JSON."""
    return hashlib.sha256(encode_plan(plan)).hexdigest()[:16]
