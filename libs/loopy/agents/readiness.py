"""Whether a plan can be executed with real agents: `loopy doctor` tells, and `loopy run` may refuse to start."""

from collections.abc import Collection, Iterable, Iterator

from loopy.compiler.plan import Agent, Plan, Sandbox

DEFAULT_SANDBOX = Sandbox("default", isolation="none")
WITHOUT_SANDBOX = frozenset({"rehearsal"})
# What a runtime needs one of in the environment of its executor.
KEYS = {"anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")}


def unrunnable(plan: Plan, runtimes: Collection[str], providers: Collection[str]) -> list[str]:
    """Every reason why an agent of the plan could not be executed here, a sentence each; none when all could be.

    `runtimes` and `providers` are those that are installed. Agents that no step uses do not matter.
    """
    agents = used_agents(plan)
    reasons = [reason for agent in agents for reason in _tool_reasons(plan, agent, runtimes)]
    reasons.extend(_runtime_reasons(agents, runtimes))
    for sandbox in used_sandboxes(plan):
        reasons.extend(_sandbox_reasons(sandbox, providers))
    return reasons


def missing_keys(plan: Plan, variables: Collection[str]) -> list[str]:
    """A sentence for each runtime that used agents need and whose key is none of these variables."""
    runtimes = sorted({agent.runtime for agent in used_agents(plan) if agent.runtime in KEYS})
    lacking = (runtime for runtime in runtimes if not any(key in variables for key in KEYS[runtime]))
    return [f"runtime `{runtime}` needs {KEYS[runtime][0]} in the environment of its executor" for runtime in lacking]


def plain_processes(plan: Plan) -> list[str]:
    """A warning for each sandbox whose agents run as plain processes of this machine."""
    return [_plain(sandbox) for sandbox in used_sandboxes(plan) if sandbox.provider == "local"]


def sandbox_of(plan: Plan, agent: Agent) -> Sandbox:
    """Where an agent's programs run: its sandbox, or a local one when it names none."""
    return plan.sandboxes.get(agent.sandbox, DEFAULT_SANDBOX)


def used_agents(plan: Plan) -> list[Agent]:
    """The agents that steps use, by name."""
    names = {step.agent for workflow in plan.workflows.values() for step in workflow.steps}
    return [plan.agents[name] for name in sorted(names)]


def used_sandboxes(plan: Plan) -> list[Sandbox]:
    """The sandboxes that used agents need, by name."""
    needed = (sandbox_of(plan, agent) for agent in used_agents(plan) if agent.runtime not in WITHOUT_SANDBOX)
    return sorted({sandbox.name: sandbox for sandbox in needed}.values(), key=lambda sandbox: sandbox.name)


def _tool_reasons(plan: Plan, agent: Agent, runtimes: Collection[str]) -> Iterator[str]:
    for tool in agent.tools:
        if tool in plan.undefined_tools:
            yield f"tool `{tool}` of agent `{agent.name}` is not defined: write a @tool function `{tool}` under tools/"
    if agent.runtime not in runtimes:
        return
    for kind, names in (("tools", agent.tools), ("skills", agent.skills)):
        defined = [name for name in names if name not in plan.undefined_tools]
        if defined:
            yield f"runtime `{agent.runtime}` cannot give agent `{agent.name}` its {kind} ({', '.join(defined)})"


def _runtime_reasons(agents: Iterable[Agent], runtimes: Collection[str]) -> Iterator[str]:
    """One reason for each runtime that is missing, however many agents need it."""
    needing: dict[str, list[str]] = {}
    for agent in agents:
        if agent.runtime not in runtimes:
            needing.setdefault(agent.runtime, []).append(f"`{agent.name}`")
    for runtime, names in needing.items():
        noun = "agent" if len(names) == 1 else "agents"
        yield (
            f"runtime `{runtime}` is not installed, which {noun} {', '.join(names)} would run in; "
            f"installed: {', '.join(sorted(runtimes))}"
        )


def _sandbox_reasons(sandbox: Sandbox, providers: Collection[str]) -> Iterator[str]:
    if sandbox.provider not in providers:
        yield (
            f"sandbox `{sandbox.name}` needs provider `{sandbox.provider}`, which is not installed; "
            f"installed: {', '.join(sorted(providers))}"
        )
    elif sandbox.provider == "local" and sandbox.repos:
        yield f"sandbox `{sandbox.name}` has `repos`, which provider `local` does not clone"


def _plain(sandbox: Sandbox) -> str:
    warning = (
        f"sandbox `{sandbox.name}` runs agents as plain processes of this machine, with all that its user may do; "
        "its image, network and resources are not applied"
    )
    return warning if sandbox.isolation == "none" else f"{warning}. Write `isolation: none` to say that this is meant"
