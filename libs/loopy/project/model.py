"""What is written in a project's files, with the place of every word: the reader's output, the compiler's input.

Reading never fails: a file that is wrong gives what could be understood of it, and diagnostics. Where a value was
wrong and has been reported, it is absent here or has the type `UNKNOWN`, so that nothing is reported twice.
"""

from typing import Generic, Literal, TypeAlias, TypeVar

import msgspec

from loopy.diagnostics.span import Span
from loopy.types.model import Type

T = TypeVar("T")


class Node(msgspec.Struct, frozen=True):
    """The manner of every struct that is read from a file."""


class Located(Node, Generic[T], frozen=True):
    """A value and where it is written."""

    value: T
    span: Span


Word: TypeAlias = Located[str]


class OnEvent(Node, frozen=True):
    """`on: Incident`."""

    event: Word


class OnCron(Node, frozen=True):
    """`on: cron("0 9 * * *", tz="Europe/Berlin")`; `zone` is None where none is written."""

    expression: Word
    zone: Word | None
    span: Span


class EmitDecl(Node, frozen=True):
    """One event under `emits:`."""

    event: Word
    max: int | None = None


class FieldDecl(Node, frozen=True):
    """A field of an output or an event, and its type."""

    name: Word
    type: Type
    span: Span


class BudgetDecl(Node, frozen=True):
    """`budget:`; seconds and US dollars."""

    span: Span
    wall_clock_s: Located[float] | None = None
    spend_usd: Located[float] | None = None


class RetryDecl(Node, frozen=True):
    """`retry:`; seconds."""

    attempts: int | None = None
    backoff_s: float | None = None
    max_backoff_s: float | None = None


class ConcurrencyDecl(Node, frozen=True):
    """`concurrency:` of an entry step. `key` is a template."""

    span: Span
    limit: int
    name: Word | None = None
    key: Word | None = None


class Prose(Node, frozen=True):
    """A step's body. `line` is the line of the file on which `text` begins; its first column is 1."""

    text: str
    line: int


class StepDecl(Node, frozen=True):
    """A step file as it is written. `span` is the whole file's first line, for what has no better place.

    `keys` has the place of every key that is present, for remarks on keys (`on` and `after` together, say).
    """

    workflow: str
    name: str
    path: str
    span: Span
    prose: Prose
    keys: dict[str, Span]
    on: OnEvent | OnCron | None = None
    after: tuple[Word, ...] | None = None
    agent: Word | None = None
    output: tuple[FieldDecl, ...] = ()
    emits: tuple[EmitDecl, ...] = ()
    when: Word | None = None
    budget: BudgetDecl | None = None
    retry: RetryDecl | None = None
    concurrency: ConcurrencyDecl | None = None
    catch_up: Located[Literal["one", "all", "none"]] | None = None
    overlap: Located[Literal["skip", "queue", "allow"]] | None = None
    workspace: Literal["run", "step"] | None = None
    pool: Word | None = None
    priority: int | None = None


class HarnessDecl(Node, frozen=True):
    """`harness: { runtime: codex, model: gpt-5 }`, or `harness: codex` with `model:` beside it."""

    runtime: Word | None = None
    model: Word | None = None
    run: tuple[str, ...] | None = None


class AgentDecl(Node, frozen=True):
    """An agent of the registry. None means: not written, so the default holds."""

    name: Word
    harness: HarnessDecl = HarnessDecl()
    sandbox: Word | None = None
    role: str | None = None
    tools: tuple[Word, ...] | None = None
    skills: tuple[Word, ...] | None = None


class SandboxDecl(Node, frozen=True):
    """A sandbox of the registry; its values are checked as they are read."""

    name: Word
    provider: Word | None = None
    image: dict[str, str | tuple[str, ...]] = {}
    network: tuple[Word, ...] = ()
    env_file: tuple[str, ...] = ()
    repos: tuple[str, ...] = ()
    cpu: float | None = None
    memory: int | None = None
    disk: int | None = None
    isolation: Literal["full", "none"] = "full"


class EventDecl(Node, frozen=True):
    """An event of the registry, either spelling."""

    name: Word
    fields: tuple[FieldDecl, ...]


class McpDecl(Node, frozen=True):
    """`linear: { mcp: https://… }` under `tools:`."""

    name: Word
    url: Word
    headers: dict[str, str] = {}


class WorkflowLimitDecl(Node, frozen=True):
    """One entry under `limits: { workflows: … }`."""

    name: Word
    spend_usd: float | None = None
    concurrency: int | None = None


class LimitsDecl(Node, frozen=True):
    """`limits:`."""

    cascade_usd: float | None = None
    cascade_runs: int | None = None
    cascade_hops: int | None = None
    day_usd: float | None = None
    workflows: tuple[WorkflowLimitDecl, ...] = ()


class PriceDecl(Node, frozen=True):
    """US dollars per million tokens of one model."""

    model: Word
    input: float
    output: float


class ExpectDecl(Node, frozen=True):
    """`Incident → GoalShipped within 4h`."""

    first: Word
    then: Word
    within_s: float


class RegistryDecl(Node, frozen=True):
    """`registry.yml` as it is written; a project without one has an empty one."""

    path: str = "registry.yml"
    defaults: AgentDecl | None = None
    agents: tuple[AgentDecl, ...] = ()
    sandboxes: tuple[SandboxDecl, ...] = ()
    events: tuple[EventDecl, ...] = ()
    mcp_servers: tuple[McpDecl, ...] = ()
    limits: LimitsDecl = LimitsDecl()
    prices: tuple[PriceDecl, ...] = ()
    expectations: tuple[ExpectDecl, ...] = ()
    namespace: Word | None = None


class SensorDecl(Node, frozen=True):
    """An `@sensor` function, read from the syntax tree: exactly one of `webhook` and `poll_s` is set."""

    name: Word
    path: str
    emits: tuple[Word, ...]
    webhook: Word | None = None
    poll_s: Located[float] | None = None
    verify: str | None = None
    timeout_s: float | None = None


class ToolDecl(Node, frozen=True):
    """An `@tool` function, read from the syntax tree."""

    name: Word
    path: str
    description: str = ""


class SkillDecl(Node, frozen=True):
    """A `SKILL.md`. `reference` is how a registry names it: its directory below `skills/`."""

    reference: str
    path: str
    name: Word | None = None
    description: Word | None = None


class ProjectDecl(Node, frozen=True):
    """A whole project as it is written.

    `sources` is every file that was read, by path; `event_classes` are the names that its Python files import from
    `loopy.events`.
    """

    sources: dict[str, str]
    registry: RegistryDecl = RegistryDecl()
    steps: tuple[StepDecl, ...] = ()
    sensors: tuple[SensorDecl, ...] = ()
    tools: tuple[ToolDecl, ...] = ()
    skills: tuple[SkillDecl, ...] = ()
    event_classes: tuple[Word, ...] = ()
