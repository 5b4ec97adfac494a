"""What Loopy knows without a registry: runtimes, their usual models, providers, prices, reserved names."""

from loopy.compiler.plan import Price

# Runtime → the model it uses where none is named; empty where the runtime decides, or needs none.
RUNTIMES: dict[str, str] = {
    "claude-code": "claude-sonnet-4-6",
    "codex": "gpt-5",
    "opencode": "",
    "anthropic": "claude-sonnet-4-6",
    "command": "",
    "rehearsal": "",
}
DEFAULT_RUNTIME = "claude-code"
WITHOUT_MODEL = frozenset(("command", "rehearsal"))

PROVIDERS = ("local", "docker", "daytona")

BUILT_IN_TOOLS = ("github",)
"""Providers of built-in tools: `github/open_pr`."""

# US dollars per million tokens; `prices:` of a registry goes before these.
PRICES: dict[str, Price] = {
    "claude-sonnet-4-6": Price(input=3, output=15),
    "claude-opus-4-8": Price(input=5, output=25),
    "claude-haiku-4-5": Price(input=1, output=5),
    "gpt-5": Price(input=1.25, output=10),
}

RESERVED_PREFIXES = ("Github", "Sentry", "Linear", "Pagerduty", "Slack", "Datadog", "Loopy")
"""First tokens of event types that vendors' own events will have."""

RETENTION_S = 30 * 24 * 3600.0
"""How long the bus keeps what a run waits for."""


def price_of(model: str, prices: dict[str, Price]) -> Price | None:
    """The price of a model, whose name may begin with its provider's: `anthropic/claude-sonnet-4-6`."""
    return prices.get(model) or prices.get(model.rpartition("/")[2])
