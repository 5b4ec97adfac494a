"""Which webhooks a plan has, and which of them cannot be served."""

import pytest

from loopy.compiler.plan import Plan, PollSource, Sensor, WebhookSource
from loopy.kit.errors import CannotStart
from loopy.kit.secret import Secret
from loopy_services.ingress.webhooks import doors_of


def plan(path: str = "/hooks/x", verify: str | None = None) -> Plan:
    hook = Sensor("hook", "sensors/s.py", WebhookSource(path, verify), ("E",))
    poll = Sensor("poll", "sensors/s.py", PollSource(60), ("E",))
    return Plan(sensors={"hook": hook, "poll": poll})


def test_polls_have_no_door() -> None:
    assert [door.sensor for door in doors_of(plan(), {})] == ["hook"]


def test_several_secrets_are_separated_by_commas() -> None:
    environment = {"STANDARD_WEBHOOKS_WEBHOOK_SECRET": " whsec_a, whsec_b,,"}
    [door] = doors_of(plan(verify="standard-webhooks"), environment)
    assert door.secrets == (Secret("whsec_a"), Secret("whsec_b"))
    assert "whsec_a" not in repr(door)


@pytest.mark.parametrize("path", ["/api", "/api/runs"])
def test_a_webhook_in_the_consoles_place_does_not_start(path: str) -> None:
    with pytest.raises(CannotStart, match="sensor hook"):
        doors_of(plan(path), {})


def test_a_webhook_that_nothing_can_verify_does_not_start() -> None:
    with pytest.raises(CannotStart, match="verify='myself' is not known; there are datadog, github"):
        doors_of(plan(verify="myself"), {})
