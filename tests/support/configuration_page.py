"""docs/reference/configuration.md, made of `Settings`: `python -m tests.support.configuration_page` writes it."""

from pathlib import Path

import msgspec

from loopy.kit.settings import Settings
from loopy.kit.variables import told, variable

PAGE = Path(__file__).parents[2] / "docs/reference/configuration.md"
HEAD = """\
# Configuration

A process of Loopy takes its configuration from the environment alone; the flags of `loopy run` and `loopy serve` set
the same things. An empty variable counts as one that is not set. Whatever cannot be used is told at once, all of it,
and the process ends with exit code 2.

A variable marked with ¹ holds a secret: it never shows in logs or errors, and instead of it a variable of the same name
with `_FILE` at its end may name a file that has the value.

| variable | default | meaning |
|---|---|---|
"""
TAIL = """
## Secrets of webhooks

A sensor with `verify="sentry"` needs `SENTRY_WEBHOOK_SECRET`; likewise `GITHUB_`, `LINEAR_`, `SLACK_`, `PAGERDUTY_`,
`DATADOG_` and `STANDARD_WEBHOOKS_WEBHOOK_SECRET`. Several secrets, separated by commas, are all active: add
the new one, change it at the sender, remove the old one. While the variable is not set the webhook answers 503, so that
senders try again; an unverified delivery is never accepted.
"""


def page() -> str:
    """The page as it must be."""
    return HEAD + "".join(_row(field) for field in msgspec.structs.fields(Settings)) + TAIL


def _row(field: msgspec.structs.FieldInfo) -> str:
    about = told(field)
    mark = " ¹" if about["secret"] else ""
    return f"| `{variable(field)}`{mark} | {_default(field)} | {about['description']} Must {about['must']}. |\n"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required or field.default is None:
        return "–"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
