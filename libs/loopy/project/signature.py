"""Whether a function can be called in the one way in which Loopy calls it."""

import ast


def takes_one(arguments: ast.arguments) -> bool:
    """Whether one value by position is enough, and not too much."""
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    return bool(positional or arguments.vararg) and required <= 1 and None not in arguments.kw_defaults


def takes_first(arguments: ast.arguments, kind: str) -> bool:
    """Whether the first value by position can be of this class: it is annotated with it, or not at all."""
    positional = [*arguments.posonlyargs, *arguments.args]
    if not positional:
        return arguments.vararg is not None
    annotation = positional[0].annotation
    return annotation is None or kind in ast.unparse(annotation)
