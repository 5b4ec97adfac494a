"""What `loopy run` says once it serves."""

import msgspec
import pytest

from loopy.cli.banner import addresses, headline, interval, new_addresses
from loopy.cli.screen import plain
from loopy.compiler.plan import CronTrigger, Plan, PollSource, Sensor, WebhookSource
from tests.support.facts import NOW, step, workflow

HOOK = Sensor("sentry_issues", "sensors/s.py", WebhookSource("/hooks/sentry"), ("Incident",))
POLL = Sensor("metric_watch", "sensors/s.py", PollSource(300), ("Incident",))
NIGHTLY = workflow(step("scan"), name="upkeep", on=CronTrigger("0 9 * * *"))
HOURLY = workflow(step("scan"), name="sweep", on=CronTrigger("0 * * * *"))


def plan(*declared: object) -> Plan:
    return Plan(
        workflows={each.name: each for each in (NIGHTLY, HOURLY) if each in declared},
        sensors={each.name: each for each in (HOOK, POLL) if each in declared},
        events={"Incident": {"title": "str"}},
    )


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ((HOOK, POLL, NIGHTLY), "hosting sensor webhooks · 1 schedule armed · waiting for events"),
        ((HOOK, NIGHTLY, HOURLY), "hosting sensor webhooks · 2 schedules armed · waiting for events"),
        ((HOOK,), "hosting sensor webhooks · waiting for events"),
        ((POLL, NIGHTLY), "1 schedule armed · waiting for events"),
        ((), "waiting for events"),
    ],
)
def test_the_headline_leaves_out_what_the_project_has_not(declared: tuple[object, ...], said: str) -> None:
    assert headline(plan(*declared)) == said


def test_every_address_is_below_it() -> None:
    lines = [plain(each) for each in addresses(plan(HOOK, POLL, NIGHTLY), "http://h:1", NOW, "loopy trigger")]
    kinds = [each.split()[0] for each in lines]
    assert kinds == ["webhook", "poll", "schedule", "api", "trigger"]
    assert lines[0].split()[1:] == ["http://h:1/hooks/sentry", "→", "sentry_issues"]
    assert lines[1].endswith("every 5m")
    assert lines[2].split()[1] == "upkeep"
    assert lines[3].split()[1] == "http://h:1/api/runs"
    assert lines[4].split()[1:] == ["Incident", "loopy", "trigger"]


def test_many_events_do_not_push_what_stands_beside_them_away() -> None:
    many = Plan(events={f"Something{n}Happened": {} for n in range(30)})
    *_, trigger = [plain(each) for each in addresses(many, "http://h:1", NOW, "loopy trigger")]
    assert trigger.endswith("…  loopy trigger")
    assert len(trigger) < 100


@pytest.mark.parametrize(("seconds", "shown"), [(90, "90s"), (300, "5m"), (7200, "2h"), (86400, "1d"), (0.5, "0.5s")])
def test_intervals_have_the_largest_unit_that_needs_no_fraction(seconds: float, shown: str) -> None:
    assert interval(seconds) == shown


def test_what_a_plan_has_and_the_one_before_had_not_is_listed() -> None:
    moved = msgspec.structs.replace(HOOK, source=WebhookSource("/hooks/elsewhere"))
    before, after = plan(HOOK, NIGHTLY), plan(POLL, NIGHTLY, HOURLY)
    after = msgspec.structs.replace(after, sensors=after.sensors | {moved.name: moved})
    lines = [plain(each) for each in new_addresses(before, after, "http://h:1", NOW)]
    assert [each.split()[:2] for each in lines] == [
        ["webhook", "http://h:1/hooks/elsewhere"],
        ["poll", "metric_watch"],
        ["schedule", "sweep"],
    ]
    assert new_addresses(after, after, "http://h:1", NOW) == []
