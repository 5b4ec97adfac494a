"""How a command ends: what its exit codes mean, and the exception that ends one with a sentence for a person."""

from loopy.kit.exits import FAILED, INTERRUPTED, OK, UNUSABLE

__all__ = ["FAILED", "INTERRUPTED", "MEANINGS", "OK", "UNUSABLE", "CommandError"]

MEANINGS = {
    OK: "all is well",
    FAILED: "what was asked for failed: a project with errors, a run that failed, something missing",
    UNUSABLE: "it could not begin: wrong usage or configuration, no server, a port in use",
    INTERRUPTED: "interrupted by Ctrl-C",
}


class CommandError(Exception):
    """A command cannot go on. `message` says what was wrong and where, `hint` what to do next (or is empty)."""

    def __init__(self, message: str, hint: str = "", *, code: int = UNUSABLE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
