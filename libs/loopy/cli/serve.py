"""`loopy serve`: one service as a process of its own."""

import argparse
import os
from pathlib import Path
from typing import Any

from loopy.cli.projects import project_directory
from loopy.cli.server_file import is_alive, read_server_file


def run(args: argparse.Namespace) -> int:
    """Serve until a signal comes. Flags come before LOOPY_* variables, these before the project's server.json."""
    from loopy.kit.process import serve_main

    project = project_directory(args.directory or os.environ.get("LOOPY_PROJECT") or ".")
    overrides: dict[str, Any] = {
        "project": str(project),
        "nats_url": args.nats,
        "namespace": args.namespace,
        "host": args.host,
        "port": args.port,
        "pool": args.pool,
        "rehearse": args.rehearse or None,
    }
    return serve_main(args.service, os.environ, **_from_server_file(project) | _given(overrides))


def _given(overrides: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in overrides.items() if value is not None}


def _from_server_file(project: Path) -> dict[str, Any]:
    """The server of the project's `loopy run`, where the environment names none and it is running."""
    if os.environ.get("LOOPY_NATS_URL") or os.environ.get("LOOPY_NATS_URL_FILE"):
        return {}
    there = read_server_file(project)
    if there is None or not is_alive(there.pid):
        return {}
    namespace = {} if os.environ.get("LOOPY_NAMESPACE") else {"namespace": there.namespace}
    return {"nats_url": there.nats_url, **namespace}
