"""A process of Loopy: from its environment to its exit code."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from loopy.compiler.plan import Plan
from loopy.kit.errors import CannotStart, ServiceFailed
from loopy.kit.exits import FAILED, INTERRUPTED, OK, UNUSABLE
from loopy.kit.settings import Settings, read_settings

SIGNALS = (signal.SIGINT, signal.SIGTERM)
COLLECT_AFTER = (10_000, 20, 20)  # Python's own are a tenth: messages under way are no garbage

Main: TypeAlias = Callable[[asyncio.Event], Awaitable[None]]


def run_process(main: Main) -> int:
    """Run `main` until it ends and give the exit code: 0, 1 for a crash, 2 for what must be mended outside.

    `main` is given the event that the first SIGINT or SIGTERM sets; it ends gracefully then. A second signal ends the
    process at once with 130.
    """
    try:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(_guarded(main))
    except CannotStart as error:
        return _told(error, UNUSABLE)
    except ServiceFailed as error:
        return _told(error, FAILED)
    return OK


async def _guarded(main: Main) -> None:
    # What was imported lives as long as the process. Looking through it for garbage again and again finds none.
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stopping.is_set():
            os._exit(INTERRUPTED)
        stopping.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        await main(stopping)
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def serve_main(name: str, environment: Mapping[str, str] | None = None, **overrides: Any) -> int:
    """Run one service as a process, configured by the environment; the exit code. `overrides` are settings' fields."""
    variables = os.environ if environment is None else environment
    try:
        project = Path(overrides.get("project") or variables.get("LOOPY_PROJECT") or ".")
        plan = compiled_plan(project)
        settings = read_settings(variables, project_namespace=plan.namespace, **overrides)
    except CannotStart as error:
        return _told(error, UNUSABLE)
    return run_process(lambda stopping: _serve(name, settings, project, plan, stopping))


async def _serve(name: str, settings: Settings, project: Path, plan: Plan, stopping: asyncio.Event) -> None:
    from loopy.kit.current_plan import CurrentPlan
    from loopy.kit.logs import configure_logs
    from loopy.kit.service import run_services

    configure_logs(settings, for_good=True)
    await run_services([name], settings, project, CurrentPlan(plan), on_ready=lambda http: None, stopping=stopping)


def compiled_plan(project: Path) -> Plan:
    """The plan of a project's directory. Raises CannotStart with every error of it, one a line."""
    from loopy.compiler.compile import compile_project
    from loopy.diagnostics.render.concise import concise
    from loopy.project.files import ProjectMissing, load_files

    try:
        compiled = compile_project(load_files(project))
    except ProjectMissing as error:
        raise CannotStart(str(error)) from None
    if compiled.plan is None:
        raise CannotStart(concise([found for found in compiled.diagnostics if found.severity == "error"]))
    return compiled.plan


def _told(error: Exception, code: int) -> int:
    """Tell why the process ends, on stderr."""
    print(f"error: {error}", file=sys.stderr)  # noqa: T201 (the last words of a process)
    return code


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's event loop, where there is one for this platform."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
