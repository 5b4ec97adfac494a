"""Sensors among each other: each webhook path leads to one of them."""

from loopy.compiler.resolve import Report
from loopy.diagnostics.diagnostic import Diagnostic, Label
from loopy.project.model import SensorDecl, Word


def check_webhooks(sensors: tuple[SensorDecl, ...], report: Report) -> None:
    """Report every second sensor on one webhook path."""
    taken: dict[str, Word] = {}
    webhooks = [sensor.webhook for sensor in sensors if sensor.webhook is not None]
    for webhook in sorted(webhooks, key=lambda word: word.span):
        path = webhook.value.rstrip("/")
        first = taken.setdefault(path, webhook)
        if first is not webhook:
            headline = f"two sensors take the webhook `{webhook.value}`"
            also = (Label(first.span, "the first one"),)
            help_ = "give each its own path, or let one sensor emit both events"
            report(Diagnostic("LP722", headline, webhook.span, also=also, help=help_))
