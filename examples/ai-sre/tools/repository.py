"""What agents do to the repository: open a pull request, run its tests, merge it.

The repository is a bare one under `.loopy/`, made from `service/` when it is first needed, so that all of this works
without a network. To use a forge instead, replace the three bodies: the agents see names, arguments and docstrings.
"""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypedDict

from loopy import ToolContext, tool

PROJECT = Path(__file__).parents[1]
REPOSITORY = PROJECT / ".loopy" / "repository.git"
PULL_REQUESTS = PROJECT / ".loopy" / "pull-requests"
URL = "https://git.example/acme/checkout/pull/"
EVALS_TIMEOUT_S = 60
LOG_CHARACTERS = 4_000

IDENTITY = {
    "GIT_AUTHOR_NAME": "Loopy",
    "GIT_AUTHOR_EMAIL": "loopy@git.example",
    "GIT_COMMITTER_NAME": "Loopy",
    "GIT_COMMITTER_EMAIL": "loopy@git.example",
}


class PullRequest(TypedDict):
    """A pull request as it is recorded."""

    url: str
    title: str
    summary: str
    branch: str
    state: Literal["open", "merged"]


class EvalReport(TypedDict):
    """What the tests of a branch said; `log` is the end of their output."""

    verdict: Literal["pass", "fail"]
    log: str


@tool
async def open_pr(ctx: ToolContext, title: str, summary: str, files: dict[str, str]) -> PullRequest:
    """Open a pull request that writes these files (path in the repository → whole new content) on a new branch."""
    return await asyncio.to_thread(_open, ctx.idempotency_key, title, summary, files)


@tool
async def run_evals(ctx: ToolContext, pr_url: str) -> EvalReport:
    """Run the repository's tests on a pull request's branch: the verdict, and the end of their output."""
    return await asyncio.to_thread(_evaluate, _read(pr_url))


@tool
async def merge_pr(ctx: ToolContext, pr_url: str) -> PullRequest:
    """Merge a pull request into `main`. Merging one that is merged changes nothing."""
    return await asyncio.to_thread(_merge, _read(pr_url))


def _open(key: str, title: str, summary: str, files: dict[str, str]) -> PullRequest:
    """The record of this key if there is one, so that a call that is repeated opens nothing new."""
    name = hashlib.sha256(key.encode()).hexdigest()[:8]
    if _record(name).exists():
        return _read(URL + name)
    branch = f"loopy/{name}"
    with _checkout("main") as tree:
        _git(tree, "checkout", "--quiet", "-B", branch)
        for path, content in files.items():
            _write(tree, path, content)
        _git(tree, "add", "--all")
        _git(tree, "commit", "--quiet", "--allow-empty", "--message", f"{title}\n\n{summary}")
        _git(tree, "push", "--quiet", "--force", "origin", branch)
    return _save(PullRequest(url=URL + name, title=title, summary=summary, branch=branch, state="open"))


def _evaluate(request: PullRequest) -> EvalReport:
    """Run by this interpreter, with an environment built from nothing and a limit of time: the code is an agent's."""
    command = [sys.executable, "-B", "-m", "unittest", "discover"]
    with _checkout(request["branch"]) as tree:
        try:
            done = subprocess.run(
                command, cwd=tree, env={}, capture_output=True, text=True, timeout=EVALS_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return EvalReport(verdict="fail", log=f"the tests did not end within {EVALS_TIMEOUT_S} s")
    return EvalReport(verdict="pass" if done.returncode == 0 else "fail", log=done.stderr[-LOG_CHARACTERS:])


def _merge(request: PullRequest) -> PullRequest:
    """Git says `Already up to date` to a branch that is merged: a call that is repeated does no harm."""
    if request["state"] == "merged":
        return request
    with _checkout("main") as tree:
        _git(tree, "merge", "--quiet", "--no-ff", "--message", request["title"], f"origin/{request['branch']}")
        _git(tree, "push", "--quiet", "origin", "main")
    return _save(PullRequest(**{**request, "state": "merged"}))


def _write(tree: Path, path: str, content: str) -> None:
    """Write a file of the checkout; ValueError for a path that leaves it or reaches into git's own directory."""
    target = (tree / path).resolve()
    if not target.is_relative_to(tree.resolve()) or ".git" in target.parts:
        raise ValueError(f"{path!r} is no path inside the repository")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content, encoding="utf-8")


def _record(name: str) -> Path:
    return PULL_REQUESTS / f"{name}.json"


def _read(url: str) -> PullRequest:
    """The pull request of this address; LookupError when none was opened there."""
    name = url.removeprefix(URL)
    if not name.isalnum() or not _record(name).exists():
        raise LookupError(f"there is no pull request {url}")
    record: PullRequest = json.loads(_record(name).read_text(encoding="utf-8"))
    return record


def _save(request: PullRequest) -> PullRequest:
    """Replace the record in one step: a reader sees the old one or the new one."""
    PULL_REQUESTS.mkdir(parents=True, exist_ok=True)
    record = _record(request["url"].removeprefix(URL))
    draft = record.with_suffix(f".{os.getpid()}.draft")
    draft.write_text(json.dumps(request, indent=2), encoding="utf-8")
    draft.replace(record)
    return request


@contextmanager
def _checkout(branch: str) -> Iterator[Path]:
    """A fresh checkout of a branch, gone afterwards. Two that push to one branch: git refuses the second."""
    _ensure_repository()
    with TemporaryDirectory(prefix="checkout-") as scratch:
        tree = Path(scratch) / "tree"
        _git(REPOSITORY, "clone", "--quiet", "--branch", branch, str(REPOSITORY), str(tree))
        yield tree


def _ensure_repository() -> None:
    """Make the bare repository beside its place and move it there: of two that do so at once, one wins."""
    if REPOSITORY.exists():
        return
    REPOSITORY.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=REPOSITORY.parent, prefix="repository-") as scratch:
        tree, bare = Path(scratch) / "tree", Path(scratch) / "bare"
        shutil.copytree(PROJECT / "service", tree, ignore=shutil.ignore_patterns("__pycache__"))
        _git(tree, "init", "--quiet", "--initial-branch=main")
        _git(tree, "add", "--all")
        _git(tree, "commit", "--quiet", "--message", "Price a cart")
        _git(tree, "clone", "--quiet", "--bare", str(tree), str(bare))
        try:
            bare.rename(REPOSITORY)
        except OSError:
            if not REPOSITORY.exists():
                raise


def _git(where: Path, *arguments: str) -> None:
    """Run git with no configuration but ours; RuntimeError with what git said when it fails."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "GIT_CONFIG_NOSYSTEM": "1"}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0", **IDENTITY}
    done = subprocess.run(["git", *arguments], cwd=where, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"git {arguments[0]} failed: {done.stderr.strip()}")
