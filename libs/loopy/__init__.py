"""Loopy: a declarative framework for agent workflows.

What the authors of sensors and tools import: `from loopy import sensor, tool, Request, Tick, ToolContext`. Importing
the package loads nothing; each name is loaded when it is asked for.
"""

TYPE_CHECKING = False  # type checkers take it for true; importing `typing` would cost more than all the rest
if TYPE_CHECKING:
    from loopy.authoring import Request, Tick, ToolContext, sensor, tool

__all__ = ["Request", "Tick", "ToolContext", "sensor", "tool"]


def __getattr__(name: str) -> object:
    """One of the names for authors."""
    if name not in __all__:
        raise AttributeError(f"module 'loopy' has no attribute {name!r}")
    from loopy import authoring

    return getattr(authoring, name)
