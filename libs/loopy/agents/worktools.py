"""The tools of an agent whose loop runs here: a shell and an editor that act on the sandbox alone.

Their names and arguments are those that Anthropic's models know: `bash_20250124` and `text_editor_20250728`. Each
command is a process of its own; the directory that it ends in is where the next one begins.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from loopy.sandboxes.provider import Finished, SandboxError, SandboxSession

BASH, EDITOR = "bash", "str_replace_based_edit_tool"
DEFINITIONS: tuple[dict[str, Any], ...] = (
    {"type": "bash_20250124", "name": BASH},
    {"type": "text_editor_20250728", "name": EDITOR},
)
COMMAND_S = 600.0
MOST_COMMAND_BYTES = 100_000
SHOWN_CHARACTERS = 30_000

_SHELL = 'cd -- "$1" 2>/dev/null; trap \'printf "%s%s" "$3" "$PWD"\' EXIT; eval "$2"'
_WRITE = 'mkdir -p -- "$(dirname -- "$1")" && cat > "$1"'


class ToolProblem(Exception):
    """What the model is told went wrong with its call."""


class WorkTools:
    """The shell and the editor of one attempt. `mark` tells where a command ended: no program writes it."""

    def __init__(self, sandbox: SandboxSession, mark: str) -> None:
        self._sandbox = sandbox
        self._mark = mark
        self._directory = "."
        self._edits: dict[str, Callable[[str, dict[str, Any]], Awaitable[str]]] = {
            "view": self._view,
            "create": self._create,
            "str_replace": self._replace,
            "insert": self._insert,
        }

    async def use(self, name: str, arguments: Any) -> str:
        """What a call comes to. ToolProblem when it went wrong, or there is no such tool."""
        given = arguments if isinstance(arguments, dict) else {}
        if name == BASH:
            return await self._bash(given)
        if name == EDITOR:
            return await self._edit(given)
        raise ToolProblem(f"there is no tool `{name}`; there are `{BASH}` and `{EDITOR}`")

    async def _bash(self, given: dict[str, Any]) -> str:
        if given.get("restart"):
            self._directory = "."
            return "restarted"
        command = given.get("command")
        if not isinstance(command, str) or not command.strip():
            raise ToolProblem("`command` must be a text")
        if len(command.encode()) > MOST_COMMAND_BYTES:
            raise ToolProblem(f"the command is longer than {MOST_COMMAND_BYTES:,} bytes: write it to a file first")
        finished = await self._run("bash", "-c", _SHELL, "bash", self._directory, command, self._mark)
        output, found, directory = finished.stdout.decode(errors="replace").rpartition(self._mark)
        if found:
            self._directory = directory
        text = self._shown((output if found else directory) + finished.stderr.decode(errors="replace"))
        return text if finished.exit_code == 0 else f"{text}\n(exit code {finished.exit_code})".lstrip()

    async def _edit(self, given: dict[str, Any]) -> str:
        path, command = given.get("path"), given.get("command")
        if not isinstance(path, str) or not path:
            raise ToolProblem("`path` must be a text")
        if command not in self._edits:
            raise ToolProblem(f"`command` must be one of {', '.join(self._edits)}")
        return await self._edits[command](path, given)

    async def _view(self, path: str, given: dict[str, Any]) -> str:
        if (await self._run("test", "-d", path)).exit_code == 0:
            return self._shown(
                (await self._run("find", path, "-maxdepth", "2", "-not", "-path", "*/.*")).stdout.decode()
            )
        lines = (await self._read(path)).splitlines()
        first, last = _range(given.get("view_range"), len(lines))
        return self._shown("\n".join(f"{number:6}\t{lines[number - 1]}" for number in range(first, last + 1)))

    async def _create(self, path: str, given: dict[str, Any]) -> str:
        await self._write(path, _text(given, "file_text"))
        return f"{path} is written"

    async def _replace(self, path: str, given: dict[str, Any]) -> str:
        old, text = _text(given, "old_str"), await self._read(path)
        count = text.count(old) if old else 0
        if count != 1:
            raise ToolProblem(f"`old_str` occurs {count} times in {path}; it must occur once")
        await self._write(path, text.replace(old, str(given.get("new_str") or "")))
        return f"{path} is changed"

    async def _insert(self, path: str, given: dict[str, Any]) -> str:
        lines, after = (await self._read(path)).splitlines(keepends=True), given.get("insert_line")
        if not isinstance(after, int) or not 0 <= after <= len(lines):
            raise ToolProblem(f"`insert_line` must be from 0 to {len(lines)}")
        text = _text(given, "insert_text")
        lines.insert(after, text if text.endswith("\n") else text + "\n")
        await self._write(path, "".join(lines))
        return f"{path} is changed"

    async def _read(self, path: str) -> str:
        finished = await self._run("cat", "--", path)
        if finished.exit_code != 0:
            raise ToolProblem(finished.stderr.decode(errors="replace").strip() or f"{path} cannot be read")
        try:
            return finished.stdout.decode()
        except UnicodeDecodeError:
            raise ToolProblem(f"{path} is no text") from None

    async def _write(self, path: str, text: str) -> None:
        finished = await self._run("sh", "-c", _WRITE, "sh", path, stdin=text.encode())
        if finished.exit_code != 0:
            raise ToolProblem(finished.stderr.decode(errors="replace").strip() or f"{path} cannot be written")

    async def _run(self, *command: str, stdin: bytes = b"") -> Finished:
        clock = asyncio.timeout(COMMAND_S)
        try:
            async with clock:
                return await self._sandbox.execute(command, stdin=stdin)
        except TimeoutError:
            if not clock.expired():
                raise
            raise ToolProblem(f"stopped after {COMMAND_S:g} s, with all that it had started") from None
        except SandboxError as error:
            raise ToolProblem(str(error)) from error

    def _shown(self, text: str) -> str:
        """What the model is shown: without the sandbox's secrets, and without its middle when it is long."""
        text, half = self._sandbox.redact(text), SHOWN_CHARACTERS // 2
        if len(text) <= SHOWN_CHARACTERS:
            return text
        return f"{text[:half]}\n… {len(text) - 2 * half:,} characters are left out …\n{text[-half:]}"


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise ToolProblem(f"`{name}` must be a text")
    return value


def _range(wanted: Any, lines: int) -> tuple[int, int]:
    """The first and last line that are wanted, from 1; -1 is the last there is."""
    if wanted is None:
        return 1, lines
    if not (isinstance(wanted, list) and len(wanted) == 2 and all(isinstance(number, int) for number in wanted)):
        raise ToolProblem("`view_range` must be two line numbers")
    first, last = wanted
    return max(1, first), lines if last == -1 else min(lines, last)
