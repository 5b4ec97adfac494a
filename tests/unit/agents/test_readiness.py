"""Which plans can be executed for real, and what stands in the way of the others."""

from typing import Any

import pytest

from loopy.agents.harness import HarnessError
from loopy.agents.installed import Runtimes, installed_runtimes
from loopy.agents.readiness import missing_keys, plain_processes, unrunnable
from loopy.compiler.plan import Agent, EventTrigger, Plan, Sandbox, Step, Workflow
from loopy.sandboxes.installed import Providers, installed_providers
from loopy.sandboxes.provider import SandboxError

RUNTIMES = ("command", "rehearsal")
PROVIDERS = ("local",)


def planned(agent: Agent, sandbox: Sandbox | None = None, **more: Any) -> Plan:
    step = Step("fix", "workflows/resolve/fix.md", agent.name, "")
    unused = Agent("Unused", "codex", tools=("nothing",))
    return Plan(
        workflows={"resolve": Workflow("resolve", EventTrigger("WorkItem"), (step,))},
        agents={agent.name: agent, "Unused": unused},
        sandboxes={sandbox.name: sandbox} if sandbox else {},
        **more,
    )


def test_a_command_in_a_local_sandbox_can_be_executed() -> None:
    assert unrunnable(planned(Agent("Fixer", "command", sandbox="s"), Sandbox("s")), RUNTIMES, PROVIDERS) == []


def test_everything_that_stands_in_the_way_is_listed() -> None:
    agent = Agent("Fixer", "claude-code", sandbox="s", tools=("open_pr",), skills=("testing",))
    plan = planned(agent, Sandbox("s", provider="daytona"), undefined_tools={"open_pr": ("Fixer",)})
    assert unrunnable(plan, RUNTIMES, PROVIDERS) == [
        "tool `open_pr` of agent `Fixer` is not defined: write a @tool function `open_pr` under tools/",
        "runtime `claude-code` is not installed, which agent `Fixer` would run in; installed: command, rehearsal",
        "sandbox `s` needs provider `daytona`, which is not installed; installed: local",
    ]


def test_tools_and_skills_that_a_runtime_cannot_give_are_listed() -> None:
    agent = Agent("Fixer", "command", tools=("open_pr", "linear/create_issue"), skills=("testing",))
    assert unrunnable(planned(agent), RUNTIMES, PROVIDERS) == [
        "runtime `command` cannot give agent `Fixer` its tools (open_pr, linear/create_issue)",
        "runtime `command` cannot give agent `Fixer` its skills (testing)",
    ]


def test_repositories_of_a_local_sandbox_are_listed() -> None:
    plan = planned(Agent("Fixer", "command", sandbox="s"), Sandbox("s", repos=("octocat/Hello-World",)))
    assert unrunnable(plan, RUNTIMES, PROVIDERS) == ["sandbox `s` has `repos`, which provider `local` does not clone"]


def test_a_plain_process_is_warned_of_and_more_so_where_it_was_not_asked_for() -> None:
    agent = Agent("Fixer", "command", sandbox="s")
    (meant,) = plain_processes(planned(agent, Sandbox("s", isolation="none")))
    (unmeant,) = plain_processes(planned(agent, Sandbox("s")))
    assert unmeant == f"{meant}. Write `isolation: none` to say that this is meant"
    assert plain_processes(planned(agent, Sandbox("s", provider="daytona"))) == []


def test_a_rehearsal_needs_no_sandbox() -> None:
    plan = planned(Agent("Fixer", "rehearsal", sandbox="s"), Sandbox("s", provider="daytona"))
    assert unrunnable(plan, RUNTIMES, PROVIDERS) == []


def test_what_this_distribution_brings_is_installed() -> None:
    assert set(installed_runtimes()) >= {"command", "rehearsal"}
    assert "local" in installed_providers()


def test_an_unknown_runtime_or_provider_lists_what_there_is(tmp_path: Any) -> None:
    with pytest.raises(HarnessError, match=r"no runtime `comand` is installed; installed: .*command.*did you mean"):
        Runtimes().get("comand")
    with pytest.raises(SandboxError, match=r"no sandbox provider `locl` is installed; installed: .*local.*did you"):
        Providers(tmp_path).get("locl")


def test_a_runtime_whose_key_is_missing_says_which() -> None:
    plan = planned(Agent("Fixer", "anthropic", model="claude-sonnet-4-6", sandbox="s"), Sandbox("s"))
    assert missing_keys(plan, ["PATH"]) == [
        "runtime `anthropic` needs ANTHROPIC_API_KEY in the environment of its executor"
    ]
    assert missing_keys(plan, ["ANTHROPIC_AUTH_TOKEN"]) == []
    assert missing_keys(planned(Agent("Fixer", "command", sandbox="s"), Sandbox("s")), []) == []
