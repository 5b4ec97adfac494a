"""`loopy run`: all five services in one process, and what happens shown as it happens."""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from loopy.cli.arguments import SERVICES
from loopy.cli.deliver_option import packed
from loopy.cli.edits import stamps_of
from loopy.cli.exits import FAILED, OK, CommandError
from loopy.cli.projects import compiled_of, project_directory
from loopy.cli.screen import stderr_screen, stdout_screen
from loopy.cli.server_file import STATE, sole_runner
from loopy.cli.session import Session

if TYPE_CHECKING:
    from loopy.compiler.plan import Plan
    from loopy.kit.current_plan import CurrentPlan
    from loopy.kit.settings import Settings

_UNKNOWN_YET = "nats://127.0.0.1:0"


def run(args: argparse.Namespace) -> int:
    """Serve the project until a signal comes, or with `--once` until what was delivered is done."""
    from loopy.cli.new_plans import NewPlans, remarks, warning
    from loopy.kit.current_plan import CurrentPlan

    if args.once and not args.deliver:
        raise CommandError("--once ends when what was delivered is done, so it needs --deliver PATH=FILE")
    project = project_directory(args.directory)
    stamps = stamps_of(project)  # before it is read, so that no edit is missed
    compiled = compiled_of(project)
    plan = compiled.plan
    assert plan is not None
    parcels = packed(args.deliver, plan)
    if not args.rehearse:
        refuse_unrunnable(project, plan)
    stderr_screen().lines(warning(sentence) for sentence in remarks(plan, rehearse=args.rehearse))
    settings = _settings(args, project, plan)
    with sole_runner(project):
        current = CurrentPlan(plan)
        new_plans = NewPlans(project, compiled, current, stamps, rehearse=args.rehearse)
        session = Session(project, plan, settings, parcels, new_plans, once=args.once)
        code = _host(project, current, settings, session)
    if code == OK and not args.once:
        stdout_screen().line("stopped")
    return code if code != OK else (FAILED if session.failed else OK)


def refuse_unrunnable(project: Path, plan: "Plan") -> None:
    """CommandError that lists what a run with real agents lacks."""
    from loopy.cli.new_plans import hold_runnable
    from loopy.kit.errors import CannotStart

    try:
        hold_runnable(plan, rehearse=False)
    except CannotStart as error:
        raise CommandError(
            f"{project.name} cannot be run with its own agents:\n{error}",
            "`loopy run --rehearse` shows the whole graph moving without them; `loopy doctor` says what to do",
        ) from None


def _settings(args: argparse.Namespace, project: Path, plan: "Plan") -> "Settings":
    from loopy.kit.errors import CannotStart
    from loopy.kit.settings import read_settings

    given = args.nats or os.environ.get("LOOPY_NATS_URL") or os.environ.get("LOOPY_NATS_URL_FILE")
    try:
        return read_settings(
            {"LOOPY_LOG_LEVEL": "warning", **os.environ},
            project_namespace=plan.namespace,
            nats_url=args.nats or (None if given else _UNKNOWN_YET),
            namespace=args.namespace,
            project=str(project),
            host=args.host,
            port=args.port,
            rehearse=args.rehearse or None,
            durability=args.durability,
            nats_wait_s=0,
        )
    except CannotStart as error:
        raise CommandError(
            str(error), "flags and LOOPY_* variables set the same; `loopy run --help` lists the flags"
        ) from None


def _host(project: Path, current: "CurrentPlan", settings: "Settings", session: Session) -> int:
    from loopy.kit.logs import configure_logs
    from loopy.kit.process import run_process
    from loopy.kit.service import run_services

    async def main(stopping: asyncio.Event) -> None:
        async with _with_server(project, settings, stopping) as final:
            configure_logs(final, stream=session.log_stream)
            await run_services(
                SERVICES,
                final,
                project,
                current,
                on_ready=lambda http: session.hold(final.nats_url, http.url, stopping),
                stopping=stopping,
            )

    return run_process(main)


@asynccontextmanager
async def _with_server(project: Path, settings: "Settings", stopping: asyncio.Event) -> AsyncIterator["Settings"]:
    """The settings with a server in them: the one that was named, or one of our own below the project's `.loopy/`.

    When our own is gone for good, `stopping` is set, and CommandError raised at the end.
    """
    import msgspec

    from loopy.bus.server import EmbeddedServer, ServerError

    if settings.nats_url != _UNKNOWN_YET:
        yield settings
        return
    try:
        server = await EmbeddedServer.start(project / STATE / "store", settings.durability)
    except ServerError as error:
        raise CommandError(str(error), "`loopy doctor` checks the server, or name another with --nats URL") from None
    gone = asyncio.create_task(server.wait())
    gone.add_done_callback(lambda _: stopping.set())
    try:
        yield msgspec.structs.replace(settings, nats_url=server.url)
        if gone.done():
            gone.result()
    except ServerError as error:
        raise CommandError(str(error), "start it again: what is stored is still there", code=FAILED) from None
    finally:
        gone.cancel()
        await server.stop()
