"""What is told to programs, complete: a key is there whatever its value, also where a fact leaves out what is usual."""

from typing import Any

import msgspec


def complete(value: Any) -> Any:
    """The same with every struct in it as an object of all its fields; anything else is left to the encoder."""
    match value:
        case msgspec.Struct():
            return _object(value)
        case dict():
            return {name: complete(each) for name, each in value.items()}
        case list() | tuple():
            return [complete(each) for each in value]
        case _:
            return value


def _object(value: msgspec.Struct) -> dict[str, Any]:
    config = value.__struct_config__
    tag = {config.tag_field: config.tag} if config.tag_field is not None else {}
    names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
    return tag | {shown: complete(getattr(value, name)) for shown, name in names}
