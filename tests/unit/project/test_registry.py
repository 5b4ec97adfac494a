"""The registry, key by key."""

import pytest

from loopy.project.model import RegistryDecl
from loopy.project.registry import read_registry
from loopy.types.model import ID, Record


def registry(text: str) -> RegistryDecl:
    found, diagnostics = read_registry(text)
    assert diagnostics == []
    return found


def test_both_spellings_of_a_harness_are_the_same() -> None:
    newer, older = registry(
        """agents:
  A: { harness: { runtime: codex, model: gpt-5 } }
  B: { harness: codex, model: gpt-5 }
"""
    ).agents
    for agent in (newer, older):
        assert agent.harness.runtime is not None
        assert agent.harness.model is not None
        assert (agent.harness.runtime.value, agent.harness.model.value) == ("codex", "gpt-5")


def test_an_agent_may_say_nothing_and_a_command_agent_what_it_runs() -> None:
    nothing, empty, command = registry(
        """agents:
  A: {}
  B:
  C: { harness: { runtime: command, run: [python, -m, "x y"] }, role: Careful., tools: [], skills: [a/b] }
"""
    ).agents
    assert nothing.tools is None
    assert empty.harness.runtime is None
    assert (command.harness.run, command.role, command.tools) == (("python", "-m", "x y"), "Careful.", ())


def test_both_spellings_of_an_event_are_the_same() -> None:
    long, short, field = registry(
        "events:\n  A: { fields: { goal_id: id } }\n  B: { goal_id: id }\n  C: { fields: str }\n"
    ).events
    assert [declared.type for declared in long.fields] == [declared.type for declared in short.fields] == [ID]
    assert [declared.name.value for declared in field.fields] == ["fields"]


def test_a_record_nests() -> None:
    (event,) = registry("events:\n  A:\n    who:\n      id: id\n").events
    assert event.fields[0].type == Record((("id", ID),))


def test_every_key_of_a_sandbox_is_read() -> None:
    (sandbox,) = registry(
        """sandboxes:
  default:
    provider: local
    image: { debian_slim: 3.10, apt: [git], pip: [], run: [make], workdir: /work, user: loopy }
    network: [github.com, "*.githubusercontent.com", localhost:8080]
    env_file: secrets/base.env
    repos: [octocat/Hello-World, https://github.com/a/b.git, ./here]
    resources: { cpu: 0.5, memory: 4GiB, disk: 10GB }
    isolation: none
"""
    ).sandboxes
    assert sandbox.image["debian_slim"] == "3.10"
    assert sandbox.image["apt"] == ("git",)
    assert [host.value for host in sandbox.network] == ["github.com", "*.githubusercontent.com", "localhost:8080"]
    assert (sandbox.env_file, sandbox.isolation) == (("secrets/base.env",), "none")
    assert (sandbox.cpu, sandbox.memory, sandbox.disk) == (0.5, 4 * 2**30, 10 * 10**9)


def test_limits_prices_expectations_and_servers_are_read() -> None:
    found = registry(
        """tools: { linear: { mcp: "https://mcp.linear.app/sse", headers: { Authorization: "Bearer ${TOKEN}" } } }
limits:
  cascade: { spend: { usd: 50 }, runs: 7, hops: 3 }
  day: { spend: { usd: 500 } }
  workflows: { resolve: { spend: { usd: 20 }, concurrency: 4 } }
prices: { gpt-5: { input: 1.25, output: 0 } }
expect: [Incident → GoalShipped within 4h, A -> B within 90s]
namespace: acme-sre
"""
    )
    limits = found.limits
    assert (limits.cascade_usd, limits.cascade_runs, limits.cascade_hops, limits.day_usd) == (50, 7, 3, 500)
    assert (limits.workflows[0].spend_usd, limits.workflows[0].concurrency) == (20, 4)
    assert (found.prices[0].input, found.prices[0].output) == (1.25, 0)
    assert [(e.first.value, e.then.value, e.within_s) for e in found.expectations] == [
        ("Incident", "GoalShipped", 14400),
        ("A", "B", 90),
    ]
    assert (found.expectations[0].then.span.line, found.expectations[0].then.span.column) == (7, 21)
    assert found.mcp_servers[0].headers == {"Authorization": "Bearer ${TOKEN}"}


def test_the_older_spelling_of_a_cascades_spend_is_read() -> None:
    assert registry("limits: { cascade_spend: { usd: 50 } }\n").limits.cascade_usd == 50


def test_an_empty_registry_is_one() -> None:
    assert registry("# nothing yet\n") == RegistryDecl()


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("agnets: {}", "LP201", 1),
        ("- agents", "LP107", 1),
        ("agents: [A]", "LP202", 9),
        ("agents: { A: claude }", "LP202", 14),
        ("agents: { A: { modle: x } }", "LP201", 16),
        ("agents: { A b: {} }", "LP206", 11),
        ("agents: { A: { tools: open_pr } }", "LP202", 23),
        ("agents: { A: { tools: [[a]] } }", "LP202", 24),
        ("agents: { A: { harness: [codex] } }", "LP202", 25),
        ("agents: { A: { harness: { runtime: codex, model: x }, model: y } }", "LP203", 55),
        ("defaults: { agnet: {} }", "LP201", 13),
        ("defaults: { agent: { sandbox: [a] } }", "LP202", 31),
        ("sandboxes: { a: { isolation: non } }", "LP204", 30),
        ("sandboxes: { a: { provider: docker, isolation: none } }", "LP210", 48),
        ("sandboxes: { a: { network: ['https://github.com'] } }", "LP207", 29),
        ("sandboxes: { a: { network: github.com } }", "LP202", 28),
        ("sandboxes: { a: { resources: { memory: 4 } } }", "LP205", 40),
        ("sandboxes: { a: { resources: { memory: 4 GIB } } }", "LP205", 40),
        ("sandboxes: { a: { resources: { cpu: 0 } } }", "LP202", 37),
        ("sandboxes: { a: { image: { debain_slim: 3 } } }", "LP201", 28),
        ("sandboxes: { a: { repos: ['a b'] } }", "LP202", 27),
        ("events: { A: str }", "LP202", 14),
        ("events: { 'A b': {} }", "LP206", 11),
        ("events: { cron: {} }", "LP206", 11),
        ("events: { A: { fields: { x: strin } } }", "LP501", 29),
        ("tools: { linear: https://x }", "LP202", 18),
        ("tools: { linear: {} }", "LP202", 10),
        ("tools: { linear: { mcp: linear } }", "LP209", 25),
        ("limits: { cascade: { hops: 0 } }", "LP202", 28),
        ("limits: { cascade: { spend: 5 } }", "LP202", 29),
        ("limits: { cascade: { spend: { usd: 1 } }, cascade_spend: { usd: 2 } }", "LP203", 43),
        ("prices: { a: { input: 1 } }", "LP202", 11),
        ("prices: { a: { input: 1, output: -1 } }", "LP202", 34),
        ("expect: [A then B]", "LP208", 10),
        ("expect: [A → B within soon]", "LP208", 23),
        ("namespace: Acme", "LP206", 12),
    ],
)
def test_a_mistake_is_told_once_at_the_exact_word(text: str, code: str, column: int) -> None:
    _, diagnostics = read_registry(text + "\n")
    assert [(d.code, d.span.line, d.span.column) for d in diagnostics] == [(code, 1, column)]


@pytest.mark.parametrize(
    ("text", "help_"),
    [
        ("agnets: {}", "did you mean `agents`?"),
        ("sandboxes: { a: { network: ['https://github.com/'] } }", "did you mean `github.com`?"),
        ("sandboxes: { a: { resources: { disk: 10 } } }", "did you mean `10GiB`?"),
        ("limits: { cascade: { spend: 5 } }", "write `spend: { usd: 5 }`"),
        ("agents: { A: { tools: open_pr } }", "write `tools: [open_pr]`"),
    ],
)
def test_the_help_can_be_followed(text: str, help_: str) -> None:
    _, (diagnostic,) = read_registry(text + "\n")
    assert diagnostic.help == help_
