"""Tools that agents name: a `@tool` of the project, `server/tool` of an MCP server, or a built-in."""

import re

import msgspec

from loopy.compiler.catalogue import BUILT_IN_TOOLS
from loopy.compiler.resolve import Broken, Names, Report
from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.suggest import did_you_mean, listed
from loopy.project.model import AgentDecl, RegistryDecl, Word


class UndefinedTool(msgspec.Struct, frozen=True):
    """A tool that nothing defines, where it is named first, and the agents that name it."""

    word: Word
    agents: tuple[str, ...]


def undefined_tools(registry: RegistryDecl, names: Names, broken: Broken) -> list[UndefinedTool]:
    """Every tool that some agent has and nothing defines, by name."""
    if broken.under("tools") or broken.file(registry.path):
        return []
    first: dict[str, Word] = {}
    agents: dict[str, list[str]] = {}
    for agent in registry.agents:
        for tool in tools_of(agent, registry.defaults):
            if not _is_defined(tool.value, names):
                first.setdefault(tool.value, tool)
                agents.setdefault(tool.value, []).append(agent.name.value)
    return [UndefinedTool(first[name], tuple(sorted(set(agents[name])))) for name in sorted(first)]


def tools_of(agent: AgentDecl, defaults: AgentDecl | None) -> tuple[Word, ...]:
    """The tools of an agent: its own, else those of the defaults."""
    inherited = defaults.tools if defaults is not None else None
    return agent.tools if agent.tools is not None else inherited or ()


def warn_of_undefined(tool: UndefinedTool, names: Names, report: Report) -> None:
    """One warning, with a stub to paste."""
    name = tool.word.value
    server, slash, _ = name.partition("/")
    known = names.servers | set(BUILT_IN_TOOLS) if slash else names.tools
    suggestion = did_you_mean(server if slash else name, known)
    where = f"no MCP server `{server}`" if slash else f"no `@tool` function `{name}`"
    headline = f"the tool `{name}` is not defined: there is {where}"
    label = f"named by {listed(tool.agents)}"
    help_ = suggestion or ("add this to registry.yml" if slash else f"add this as tools/{_identifier(name)}.py")
    report(Diagnostic("LP801", headline, tool.word.span, label, help=help_, paste=_stub(name)))


def _is_defined(name: str, names: Names) -> bool:
    server, slash, tool = name.partition("/")
    return bool(tool) and (server in names.servers or server in BUILT_IN_TOOLS) if slash else name in names.tools


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def _stub(name: str) -> str:
    server, slash, _ = name.partition("/")
    if slash:
        return f"tools:\n  {server}: {{ mcp: https://… }}\n"
    return (
        "from loopy import ToolContext, tool\n\n\n"
        "@tool\n"
        f"async def {_identifier(name)}(ctx: ToolContext) -> str:\n"
        '    """Say what the agent should know of this tool."""\n'
        "    raise NotImplementedError\n"
    )
