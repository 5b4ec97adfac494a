"""`registry.yml`: the agents, sandboxes, events, tools and limits that a project's files refer to by name."""

import re
from collections.abc import Callable
from typing import Any

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.project.agents import read_agents, read_defaults
from loopy.project.events import read_events
from loopy.project.limits import read_expectations, read_limits, read_prices
from loopy.project.model import Located, McpDecl, RegistryDecl, Word
from loopy.project.names import check_name
from loopy.project.places import REGISTRY
from loopy.project.sandboxes import read_sandboxes
from loopy.project.shapes import Shapes
from loopy.project.text import control_character
from loopy.project.tree import Entry, Pairs, Tree, described
from loopy.project.yamlspan import read_yaml
from loopy.types.native import is_url

# The bus holds namespaces to the same rule; it stands above this layer.
_NAMESPACE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_NAMESPACE_WANTED = "a lower-case letter, then at most 31 lower-case letters, digits, hyphens"


def read_registry(text: str) -> tuple[RegistryDecl, list[Diagnostic]]:
    """The registry of its file's text."""
    if bad := control_character(REGISTRY, text):
        return RegistryDecl(), [bad]
    tree, diagnostics = read_yaml(text, REGISTRY)
    if not isinstance(tree, Pairs):
        return _without_keys(tree, diagnostics)
    shapes = Shapes(diagnostics, shape="LP202", unknown="LP201")
    values: dict[str, Any] = {}
    for key, entry in shapes.known(tree, _READERS, "the registry").items():
        argument, read = _READERS[key]
        value = read(shapes, entry)
        if value is not None:
            values[argument] = value
    return RegistryDecl(**values), diagnostics


def _without_keys(tree: Tree | None, diagnostics: list[Diagnostic]) -> tuple[RegistryDecl, list[Diagnostic]]:
    """The registry of a file that is empty, could not be read, or is no map."""
    if tree is not None:
        headline = f"the registry must be keys and values, not {described(tree)}"
        diagnostics.append(Diagnostic("LP107", headline, tree.span, "expected `key: value`"))
    return RegistryDecl(), diagnostics


def _tools(shapes: Shapes, entry: Entry) -> tuple[McpDecl, ...]:
    pairs = shapes.pairs(entry, "a map of MCP servers")
    found = [_mcp(shapes, server) for server in pairs.entries] if pairs else []
    return tuple(server for server in found if server is not None)


def _mcp(shapes: Shapes, entry: Entry) -> McpDecl | None:
    name = Located(entry.key.text, entry.key.span)
    if not check_name(shapes, name, "an MCP server"):
        return None
    keys = shapes.table(entry, ("mcp", "headers"))
    if "mcp" not in keys:
        if isinstance(entry.value, Pairs) and len(keys) == len(entry.value.entries):
            hint = "a tool of your own is a `@tool` function under `tools/`, and needs no entry here"
            shapes.report("LP202", f"`{name.value}` lacks `mcp`", name.span, "expected `mcp: https://…`", hint=hint)
        return None
    url = shapes.word(keys["mcp"], "a URL")
    if url is not None and not is_url(url.value):
        shapes.report("LP209", f"`{url.value}` is not an http(s) URL", url.span, "expected `https://…`")
    headers = _headers(shapes, keys["headers"]) if "headers" in keys else {}
    return McpDecl(name, url, headers) if url else None


def _headers(shapes: Shapes, entry: Entry) -> dict[str, str]:
    pairs = shapes.pairs(entry, "a map of headers")
    words = {header.key.text: shapes.word(header, "text") for header in (pairs.entries if pairs else ())}
    return {name: word.value for name, word in words.items() if word is not None}


def _namespace(shapes: Shapes, entry: Entry) -> Word | None:
    word = shapes.word(entry, _NAMESPACE_WANTED)
    if word is None or _NAMESPACE.fullmatch(word.value):
        return word
    shapes.report("LP206", f"the namespace cannot be `{word.value}`", word.span, f"expected {_NAMESPACE_WANTED}")
    return None


# Key → (argument of RegistryDecl, reader).
_READERS: dict[str, tuple[str, Callable[[Shapes, Entry], Any]]] = {
    "defaults": ("defaults", read_defaults),
    "agents": ("agents", read_agents),
    "sandboxes": ("sandboxes", read_sandboxes),
    "events": ("events", read_events),
    "tools": ("mcp_servers", _tools),
    "limits": ("limits", read_limits),
    "prices": ("prices", read_prices),
    "expect": ("expectations", read_expectations),
    "namespace": ("namespace", _namespace),
}
