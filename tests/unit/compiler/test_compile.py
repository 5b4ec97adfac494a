"""Whole projects: the plan, its name, and what the compiler says of what is wrong as a whole."""

from pathlib import Path

import msgspec
import pytest

from loopy.compiler.compile import compile_project
from loopy.compiler.plan import CronTrigger, EventTrigger, Plan, encode_plan, plan_hash
from loopy.project.files import load_files

SEED = Path(__file__).parents[2] / "fixtures" / "ai-sre"
UNDEFINED = ["open_pr", "run_evals", "merge_pr", "set_flags"]


@pytest.fixture(scope="module")
def seed() -> dict[str, bytes]:
    return load_files(SEED)


def plan_of(files: dict[str, bytes]) -> Plan:
    compiled = compile_project(files)
    assert compiled.plan is not None, compiled.diagnostics
    return compiled.plan


def test_the_seed_compiles_with_a_warning_for_each_undefined_tool(seed: dict[str, bytes]) -> None:
    compiled = compile_project(seed)
    assert [d.code for d in compiled.diagnostics] == ["LP801"] * 4
    assert [d.headline.split("`")[1] for d in compiled.diagnostics] == UNDEFINED
    assert all(f"async def {name}(" in d.paste for name, d in zip(UNDEFINED, compiled.diagnostics, strict=True))


def test_the_seed_has_the_plan_that_its_files_say(seed: dict[str, bytes]) -> None:
    plan = plan_of(seed)
    assert (len(plan.workflows), plan.step_count, len(plan.events)) == (4, 7, 4)
    assert [step.name for step in plan.workflows["resolve"].steps] == ["arbitrate", "fix", "review", "ship"]
    assert plan.workflows["triage"].trigger == EventTrigger("Incident")
    assert plan.schedules == {"upkeep": CronTrigger("0 9 * * *")}
    fixer = plan.agents["Fixer"]
    assert (fixer.runtime, fixer.model, fixer.sandbox) == ("claude-code", "claude-opus-4-8", "default")
    assert plan.workflows["resolve"].step("review").output == {"verdict": "enum[pass, fail]"}
    assert plan.workflows["triage"].steps[0].budget.wall_clock_s == 1200
    assert plan.undefined_tools["open_pr"] == ("Fixer",)
    assert set(plan.sources) == set(seed) - {"registry.yml"}


def test_a_plan_has_the_same_name_whatever_the_order_of_files(seed: dict[str, bytes]) -> None:
    backwards = dict(reversed(seed.items()))
    assert plan_hash(plan_of(seed)) == plan_hash(plan_of(backwards))
    assert msgspec.json.decode(encode_plan(plan_of(seed)), type=Plan) == plan_of(seed)


def test_any_change_that_a_run_would_see_changes_the_name(seed: dict[str, bytes]) -> None:
    changed = {**seed, "sensors/sensors.py": seed["sensors/sensors.py"] + b"\n# changed\n"}
    assert plan_hash(plan_of(changed)) != plan_hash(plan_of(seed))


def test_the_model_of_the_defaults_stays_with_its_runtime(seed: dict[str, bytes]) -> None:
    registry = seed["registry.yml"].replace(b"Investigator: {", b"Investigator: { harness: codex, ")
    agent = plan_of({**seed, "registry.yml": registry}).agents["Investigator"]
    assert (agent.runtime, agent.model) == ("codex", "gpt-5")


def test_a_project_without_registry_is_one_mistake(seed: dict[str, bytes]) -> None:
    compiled = compile_project({path: data for path, data in seed.items() if path != "registry.yml"})
    assert [d.code for d in compiled.diagnostics] == ["LP300"]


def test_every_mistake_is_reported_in_one_go_and_in_order(seed: dict[str, bytes]) -> None:
    files = {
        **seed,
        "workflows/resolve/fix.md": seed["workflows/resolve/fix.md"].replace(b"arbitrate.goal", b"arbitrate.gaol"),
        "workflows/resolve/ship.md": seed["workflows/resolve/ship.md"].replace(b"Releaser", b"Releasr"),
        "sensors/sensors.py": seed["sensors/sensors.py"].replace(b'emits="Incident"', b'emits="Incidnt"'),
    }
    errors = [d for d in compile_project(files).diagnostics if d.severity == "error"]
    assert [d.code for d in errors] == ["LP303", "LP302", "LP301"]
    assert errors == sorted(errors, key=lambda d: d.span)


def test_a_bug_of_ours_is_a_diagnostic_and_no_traceback(
    seed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("loopy.compiler.compile.check_naming", broken)
    compiled = compile_project(seed)
    assert compiled.plan is None
    assert [d.code for d in compiled.diagnostics] == ["LP901"]
    assert "KeyError" in compiled.diagnostics[0].headline


def test_a_long_chain_of_steps_compiles() -> None:
    files = {"registry.yml": b"agents:\n  A: {}\nevents:\n  E: { x: str }\n"}
    for number in range(1500):
        head = f"after: s{number - 1}" if number else "on: E"
        body = "{{ event.x }} {{ s0.y }}" if number else "{{ event.x }}"
        files[f"workflows/w/s{number}.md"] = f"---\n{head}\nagent: A\noutput: {{ y: str }}\n---\n{body}\n".encode()
    assert plan_of(files).step_count == 1500


def test_loops_nested_deeper_than_python_can_are_refused(seed: dict[str, bytes]) -> None:
    registry = seed["registry.yml"].replace(b"title: str", b"title: str, tags: list[str]")
    loops = b"{% for a in event.tags %}" * 30 + b"x" + b"{% endfor %}" * 30
    step = seed["workflows/triage/investigate.md"] + loops + b"\n"
    compiled = compile_project({**seed, "registry.yml": registry, "workflows/triage/investigate.md": step})
    assert [d.code for d in compiled.diagnostics if d.severity == "error"] == ["LP601"]


def test_the_closest_match_of_an_unknown_field_is_shown_where_it_is_declared(seed: dict[str, bytes]) -> None:
    step = seed["workflows/resolve/review.md"].replace(b"fix.pr_url", b"fix.pr")
    (error,) = [
        d for d in compile_project({**seed, "workflows/resolve/review.md": step}).diagnostics if d.severity == "error"
    ]
    (match,) = error.also
    assert (match.span.path, match.span.line, match.span.column) == ("workflows/resolve/fix.md", 5, 3)
    assert error.help == "write `fix.pr_url`"
