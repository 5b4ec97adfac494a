"""How a process says that it cannot go on; each becomes one message and an exit code, never a traceback."""


class CannotStart(Exception):
    """Something outside must be mended first: a setting, a port, a server. The text says what; exit code 2."""


class ServiceFailed(Exception):
    """A service ended though nobody told it to; the text says which and why. Exit code 1."""
