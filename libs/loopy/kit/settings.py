"""Settings: the environment, read once into a frozen value. Units are in the names; all problems are told at once.

A field `grace_s` is the variable `LOOPY_GRACE_S`. The fields marked secret may stand in a file instead, named by
`LOOPY_TOKEN_FILE`, as orchestrators mount them. An empty variable counts as one that is not set.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta

from loopy.bus.claims import ValueLimits
from loopy.bus.streams import Durability
from loopy.bus.subjects import DEFAULT_NAMESPACE, NAMESPACE
from loopy.kit.errors import CannotStart
from loopy.kit.secret import Secret
from loopy.kit.variables import converted, from_environment, told, variable

MIB = 1 << 20
DAY_S = 86_400
_CREDENTIALS = re.compile(r"//([^@/\s]+)@")

LogFormat: TypeAlias = Literal["auto", "json", "human"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


class SettingsError(CannotStart):
    """Settings that cannot be used. `problems` has one sentence each, with the variable's name."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _says(must: str, description: str, *, secret: bool = False, **bounds: Any) -> Meta:
    """What the reference says of a setting, what a value must be (`be a port`), and its bounds."""
    return Meta(description=description, extra={"must": must, "secret": secret}, **bounds)


class Settings(msgspec.Struct, frozen=True):
    """All that a process takes from its environment. The descriptions make docs/reference/configuration.md."""

    nats_url: Annotated[
        str,
        _says(
            "be the URL of a NATS server, such as nats://127.0.0.1:4222",
            "The NATS server, with credentials where it needs them. `loopy run` starts one of its own when this is "
            "not set.",
            secret=True,
            pattern=r"^(nats|tls|ws|wss)://\S+\Z",
        ),
    ]
    namespace: Annotated[
        str,
        _says(
            "be a lower-case letter, then at most 31 lower-case letters, digits, hyphens",
            "Begins every subject and is part of every stream's name, so that several projects or stages share one "
            "NATS. The registry's `namespace:` holds where this is not set.",
            pattern=f"^{NAMESPACE.pattern}\\Z",
        ),
    ] = DEFAULT_NAMESPACE
    project: Annotated[str, _says("be a directory", "The project's directory.")] = "."
    host: Annotated[
        str,
        _says(
            "be a host name or an IP address",
            "The address to listen on. On any other than a loopback address, `LOOPY_TOKEN` must be set where the "
            "console's API is served.",
            pattern=r"^[^\s/]+$",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        _says("be a port, 0 to 65535", "The port to listen on; 0 takes any that is free.", ge=0, le=65535),
    ] = 8700
    ops_host: Annotated[
        str,
        _says(
            "be a host name or an IP address",
            "The address of a listener for health and metrics alone.",
            pattern=r"^[^\s/]+$",
        ),
    ] = "127.0.0.1"
    ops_port: Annotated[
        Annotated[int, Meta(ge=0, le=65535)] | None,
        _says(
            "be a port, 0 to 65535",
            "The port of a listener for health and metrics alone, which answers from the start. When it is not set, "
            "they are served beside the webhooks and the API, and by a process that has neither on any free port of "
            "`LOOPY_OPS_HOST`.",
        ),
    ] = None
    token: Annotated[
        Secret | None,
        _says(
            "be printable ASCII without blanks",
            "The bearer token of every API but the webhooks; health and metrics need none.",
            secret=True,
        ),
    ] = None
    rehearse: Annotated[
        bool,
        _says(
            "be true or false",
            "Replace every agent by one that answers at once with made-up values of the right types.",
        ),
    ] = False
    slots: Annotated[
        int, _says("be a whole number, 1 or more", "How many attempts an executor executes at once.", ge=1)
    ] = 8
    lease_s: Annotated[
        int,
        _says(
            "be a whole number of seconds, 2 to 5",
            "How long an executor may be silent before another takes over what it executes.",
            ge=2,
            le=5,
        ),
    ] = 3
    pool: Annotated[
        str,
        _says(
            "be letters, digits, hyphens and underscores",
            "The pool whose attempts an executor takes.",
            pattern=r"^[A-Za-z0-9_-]{1,64}$",
        ),
    ] = "default"
    replicas: Annotated[
        int, _says("be 1 to 5", "How many NATS servers keep each stream; asked for when streams are made.", ge=1, le=5)
    ] = 1
    keep_days: Annotated[
        float,
        _says(
            "be a number of days, more than 0 and at most 60",
            "How long the messages of a run are kept once it has ended; then it is archived and they are deleted. Runs "
            "go earlier, after an hour, while a stream that they lie in is more than three quarters full. May be a "
            "fraction; less than an hour is for tests.",
            gt=0,
            le=60,
        ),
    ] = 30
    durability: Annotated[
        Durability,
        _says(
            "be process or power-loss",
            "What an acknowledged message survives: the death of any process, or of the machine too (`power-loss`), "
            "which costs a write to the disk for each fact. A server of your own needs `sync_interval: always` for it.",
        ),
    ] = "process"
    nats_wait_s: Annotated[
        float,
        _says(
            "be a number of seconds, from 0 to 86400",
            "How long a service that is started before NATS waits for it; `loopy run` does not wait.",
            ge=0,
            le=DAY_S,
        ),
    ] = 30
    webhook_max_bytes: Annotated[
        int,
        _says(
            "be a number of bytes, 1 or more",
            "The largest body of a webhook; a larger one gets a 413. `LOOPY_LARGEST_VALUE_BYTES` is a limit as well.",
            ge=1,
        ),
    ] = MIB
    claim_bytes: Annotated[
        int,
        _says(
            "be a number of bytes, 1024 or more",
            "The largest payload that lies in its message, not beside it; never more than half of the server's "
            "`max_payload`.",
            ge=1024,
        ),
    ] = ValueLimits().claim_bytes
    largest_value_bytes: Annotated[
        int,
        _says(
            "be a number of bytes, 65536 or more",
            "The largest event, output or webhook body. A larger output is a failure, a larger event is set aside.",
            ge=64 << 10,
        ),
    ] = ValueLimits().largest_value_bytes
    drain_delay_s: Annotated[
        float,
        _says(
            "be a number of seconds, from 0 to 86400",
            "How long a process that is told to stop says so on `/readyz` and goes on as before, so that load "
            "balancers turn away from it; the grace begins after it.",
            ge=0,
            le=DAY_S,
        ),
    ] = 0
    grace_s: Annotated[
        float,
        _says(
            "be a number of seconds, from 0 to 86400",
            "How long work under way may go on once the process is told to stop.",
            ge=0,
            le=DAY_S,
        ),
    ] = 10
    log_format: Annotated[
        LogFormat,
        _says("be auto, json or human", "How log lines look; `auto` is `human` on a terminal, else `json`."),
    ] = "auto"
    log_level: Annotated[
        LogLevel,
        _says("be debug, info, warning or error", "The least level that is logged; `debug` shows tracebacks too."),
    ] = "info"

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self._shown())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return list(self._shown())

    def _shown(self) -> Iterator[tuple[str, Any]]:
        for name in self.__struct_fields__:
            yield name, "…" if name == "nats_url" else getattr(self, name)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text that must not be shown: the token, and the credentials in the server's URL."""
        credentials = ":".join(_CREDENTIALS.findall(self.nats_url)).split(":")
        token = self.token.reveal() if self.token else ""
        return tuple(text for text in (token, *credentials) if text)


def read_settings(
    environment: Mapping[str, str], *, project_namespace: str | None = None, **overrides: Any
) -> Settings:
    """The settings of an environment. Raises SettingsError with every problem.

    `overrides` are the fields that a command line sets; None means that it does not. `project_namespace` is what the
    registry says: it holds where neither the environment nor an override names a namespace.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        raw: Any = overrides.get(field.name)
        if raw is None:
            raw = from_environment(environment, field, problems)
        if raw is None and field.name == "namespace":
            raw = project_namespace
        value = UNSET if raw is None else converted(field, raw, problems)
        if value is not UNSET:
            values[field.name] = value
        elif field.required and raw is None:
            problems.append(f"{variable(field)} is not set: it must {told(field)['must']}")
    if problems:
        raise SettingsError(problems)
    return Settings(**values)
