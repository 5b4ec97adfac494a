"""`sandboxes:` of the registry: where agents' code runs, what it may reach and use."""

import re
from typing import Any, Literal

from loopy.project.model import Located, SandboxDecl, Word
from loopy.project.names import check_name
from loopy.project.shapes import Shapes
from loopy.project.tree import Entry, Text

_ISOLATING = ("docker", "daytona")
_KEYS = ("provider", "image", "network", "env_file", "repos", "resources", "isolation")
_IMAGE_TEXTS = ("debian_slim", "base", "snapshot", "workdir", "user")
_IMAGE_LISTS = ("apt", "pip", "run")
_HOST = re.compile(
    r"(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*(?::[0-9]{1,5})?"
)
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+|(?:https?|ssh|git|file)://\S+|git@\S+|\.{0,2}/\S*")
_AMOUNT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([KMGT]i?B)")
_UNITS = {
    f"{letter}{i}B": base ** (power + 1) for power, letter in enumerate("KMGT") for i, base in (("", 1000), ("i", 1024))
}


def read_sandboxes(shapes: Shapes, entry: Entry) -> tuple[SandboxDecl, ...]:
    """Every sandbox that is registered."""
    pairs = shapes.pairs(entry, "a map of sandboxes")
    return tuple(_sandbox(shapes, sandbox) for sandbox in (pairs.entries if pairs else ()))


def _sandbox(shapes: Shapes, entry: Entry) -> SandboxDecl:
    name = Located(entry.key.text, entry.key.span)
    check_name(shapes, name, "a sandbox")
    if isinstance(entry.value, Text) and entry.value.is_null:
        return SandboxDecl(name)
    keys = shapes.table(entry, _KEYS, "a sandbox")
    provider = shapes.word(keys["provider"]) if "provider" in keys else None
    return SandboxDecl(
        name=name,
        provider=provider,
        image=_image(shapes, keys["image"]) if "image" in keys else {},
        network=_network(shapes, keys["network"]) if "network" in keys else (),
        env_file=shapes.strings(keys["env_file"]) if "env_file" in keys else (),
        repos=_repositories(shapes, keys["repos"]) if "repos" in keys else (),
        isolation=_isolation(shapes, keys, provider),
        **(_resources(shapes, keys["resources"]) if "resources" in keys else {}),
    )


def _image(shapes: Shapes, entry: Entry) -> dict[str, str | tuple[str, ...]]:
    image: dict[str, str | tuple[str, ...]] = {}
    for key, inner in shapes.table(entry, (*_IMAGE_TEXTS, *_IMAGE_LISTS)).items():
        if key in _IMAGE_LISTS:
            image[key] = shapes.strings(inner)
        elif (word := shapes.word(inner, "text")) is not None:
            image[key] = word.value
    return image


def _network(shapes: Shapes, entry: Entry) -> tuple[Word, ...]:
    hosts = shapes.list_of_words(entry) or ()
    for host in hosts:
        if not _HOST.fullmatch(host.value):
            hint = f"did you mean `{bare}`?" if _HOST.fullmatch(bare := _bare_host(host.value)) else ""
            label = "expected a host such as github.com or *.githubusercontent.com"
            shapes.report("LP207", f"`{host.value}` is not a host", host.span, label, hint=hint)
    return hosts


def _bare_host(text: str) -> str:
    """The host of a URL."""
    return text.split("://")[-1].split("/")[0]


def _repositories(shapes: Shapes, entry: Entry) -> tuple[str, ...]:
    words = shapes.words(entry, "a list of repositories") or ()
    for word in words:
        if not _REPOSITORY.fullmatch(word.value):
            label = "expected owner/name, a URL, or a path"
            shapes.report("LP202", f"`{word.value}` is not a repository", word.span, label)
    return tuple(word.value for word in words)


def _resources(shapes: Shapes, entry: Entry) -> dict[str, Any]:
    keys = shapes.table(entry, ("cpu", "memory", "disk"))
    cpu = shapes.amount(keys["cpu"]) if "cpu" in keys else None
    return {
        "cpu": cpu.value if cpu else None,
        "memory": _bytes(shapes, keys["memory"]) if "memory" in keys else None,
        "disk": _bytes(shapes, keys["disk"]) if "disk" in keys else None,
    }


def _bytes(shapes: Shapes, entry: Entry) -> int | None:
    """Bytes of `4GiB` or `500MB`."""
    word = shapes.word(entry, "an amount such as 4GiB")
    if word is None:
        return None
    found = _AMOUNT.fullmatch(word.value)
    if found is not None and (amount := int(float(found[1]) * _UNITS[found[2]])) > 0:
        return amount
    digits = re.match(r"[0-9]+", word.value)
    hint = f"did you mean `{digits[0]}GiB`?" if digits and int(digits[0]) else ""
    label = "expected a number and KiB, MiB, GiB, TiB, KB, MB, GB or TB"
    shapes.report("LP205", f"`{word.value}` is not an amount", word.span, label, hint=hint)
    return None


def _isolation(shapes: Shapes, keys: dict[str, Entry], provider: Word | None) -> Literal["full", "none"]:
    if (entry := keys.get("isolation")) is None:
        return "full"
    word = shapes.choice(entry, ("full", "none"), "LP204")
    if word is None or word.value == "full":
        return "full"
    if provider is not None and provider.value in _ISOLATING:
        headline = f"`isolation: none` cannot be had from provider `{provider.value}`"
        shapes.report("LP210", headline, word.span, "only with `provider: local`", hint="remove it, or use `local`")
    return "none"
