"""`loopy compile`: check a project, write its plan and its type stubs."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopy.cli.exits import FAILED, OK, CommandError
from loopy.cli.screen import Screen

if TYPE_CHECKING:
    from loopy.compiler.compile import Compiled


def run(args: argparse.Namespace) -> int:
    """Compile and print; returns the exit code."""
    from loopy.compiler.compile import compile_project
    from loopy.project.files import ProjectMissing, load_files

    root = Path(args.directory)
    try:
        files = load_files(root)
    except ProjectMissing as exc:
        raise CommandError(str(exc), "name a project's directory; `loopy init DIR` makes one") from None
    compiled = compile_project(files)
    failed = compiled.plan is None or (args.strict and bool(compiled.diagnostics))
    written = _write(compiled, root, args.out) if not failed and not args.check else ""
    # Where the plan goes to standard output, nothing else does.
    stream = sys.stderr if str(args.out) == "-" else sys.stdout
    colour = Screen(stream).has_colour
    stream.write(_report(compiled, root, args.format, failed=failed, written=written, colour=colour))
    return FAILED if failed else OK


def _write(compiled: "Compiled", root: Path, out: Path | None) -> str:
    """Write the plan, and the stubs beside it; returns where the plan is."""
    from loopy.compiler.plan import encode_plan, plan_hash

    assert compiled.plan is not None
    data = encode_plan(compiled.plan) + b"\n"
    if str(out) == "-":
        sys.stdout.write(data.decode())
        return ""
    name = plan_hash(compiled.plan)
    path = out if out is not None else root / ".loopy" / "plans" / f"{name}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as exc:
        raise CommandError(f"the plan cannot be written to {path}: {exc.strerror}") from None
    if out is None:
        _write_stubs(root, compiled.plan.events)
    return f"plan {name} → {path}"


def _write_stubs(root: Path, events: Mapping[str, Any]) -> None:
    from loopy.project.stubs import event_stubs

    path = root / ".loopy" / "typings" / "loopy" / "events.pyi"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(event_stubs(events), encoding="utf-8")


def _report(compiled: "Compiled", root: Path, style: str, *, failed: bool, written: str, colour: bool) -> str:
    """What is printed: the diagnostics, where the plan is, and the last line; `json` is one document."""
    if style == "json":
        from loopy.diagnostics.render.json import json

        return json(compiled.diagnostics, _summary(compiled, failed=failed))
    lines = [f"\x1b[2m{written}\x1b[0m" if colour else written] if written else []
    lines.append(_last_line(compiled, failed=failed, colour=colour))
    return _diagnostics(compiled, root, style, colour=colour) + "".join(f"{line}\n" for line in lines)


def _diagnostics(compiled: "Compiled", root: Path, style: str, *, colour: bool) -> str:
    from loopy.cli.projects import seen_from_here

    project = seen_from_here(root)
    if style == "concise":
        from loopy.diagnostics.render.concise import concise

        return concise(compiled.diagnostics, project)
    if style == "github":
        from loopy.diagnostics.render.github import github

        return github(compiled.diagnostics, "" if Path(project).is_absolute() else project)
    from loopy.diagnostics.render.full import full

    return full(compiled.diagnostics, compiled.sources, project=project, colour=colour)


def _last_line(compiled: "Compiled", *, failed: bool, colour: bool) -> str:
    from loopy.diagnostics.render import counted

    plan = compiled.plan
    if plan is None or failed:
        strict = " (--strict)" if plan is not None else ""
        line = f"✗ {counted(compiled.diagnostics)}{strict}"
        return f"\x1b[1;31m{line}\x1b[0m" if colour else line
    counts = (len(plan.workflows), "workflow"), (plan.step_count, "step"), (len(plan.events), "event")
    line = " · ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    return f"\x1b[32m✓\x1b[0m {line} — graph ok" if colour else f"✓ {line} — graph ok"


def _summary(compiled: "Compiled", *, failed: bool) -> dict[str, Any]:
    from loopy.compiler.plan import plan_hash

    plan = compiled.plan
    return {
        "ok": not failed,
        "errors": compiled.count("error"),
        "warnings": compiled.count("warning"),
        "plan": plan_hash(plan) if plan is not None else None,
        "workflows": len(plan.workflows) if plan is not None else None,
        "steps": plan.step_count if plan is not None else None,
        "events": len(plan.events) if plan is not None else None,
    }
