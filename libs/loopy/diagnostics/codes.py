"""Every diagnostic's code. A code is permanent: it is never renumbered or used again for something else.

`LP1xx` file syntax, `2xx` registry, `3xx` references, `4xx` graph, `5xx` types, `6xx` prose templates and `when`,
`7xx` sensors, tools and schedules, `8xx` warnings of risk and cost, `9xx` our own bug. Each code owns a page in
`pages/` (`loopy explain LP302`), whose examples are tests.
"""

from typing import Literal

# code → (severity, title). Titles are what `loopy explain` lists; a diagnostic's headline names the author's own words.
CODES: dict[str, tuple[Literal["error", "warning"], str]] = {
    # Reading files: YAML, front matter, step files (the reader).
    "LP101": ("error", "a file is not UTF-8 text"),
    "LP102": ("error", "a control character in a file"),
    "LP103": ("error", "a header or registry is not valid YAML"),
    "LP104": ("error", "a tab where YAML wants spaces"),
    "LP105": ("error", "a key is written twice"),
    "LP106": ("error", "YAML anchors, aliases and tags are not part of the language"),
    "LP107": ("error", "a header or registry is not a map of keys"),
    "LP108": ("error", "a file does not begin with a header"),
    "LP109": ("error", "a header is not closed"),
    "LP110": ("error", "more than one YAML document"),
    "LP111": ("error", "values are nested too deeply"),
    "LP112": ("error", "a key is not a plain word"),
    "LP113": ("error", "a file is too large"),
    "LP114": ("error", "a step has an unknown key"),
    "LP115": ("error", "a step's key has a value of the wrong shape"),
    "LP116": ("error", "a trigger cannot be read"),
    "LP117": ("error", "a step has no prose"),
    "LP118": ("error", "a workflow or step has a name that cannot be used"),
    "LP119": ("error", "a duration cannot be read"),
    "LP120": ("error", "a file cannot be read"),
    # The registry (the reader).
    "LP201": ("error", "the registry has an unknown key"),
    "LP202": ("error", "a registry key has a value of the wrong shape"),
    "LP203": ("error", "a model is written twice"),
    "LP204": ("error", "a value is not one of the known ones"),
    "LP205": ("error", "an amount of memory or disk cannot be read"),
    "LP206": ("error", "a name of the registry cannot be used"),
    "LP207": ("error", "a host of an egress allowlist cannot be read"),
    "LP208": ("error", "an expectation cannot be read"),
    "LP209": ("error", "an MCP server's address is not an http(s) URL"),
    "LP210": ("error", "`isolation: none` outside provider `local`"),
    # Types (the reader).
    "LP501": ("error", "an unknown type"),
    "LP502": ("error", "a type cannot be read"),
    "LP503": ("error", "an enum's members are wrong"),
    "LP504": ("error", "a JSON Schema fragment is not valid"),
    "LP505": ("error", "a field has a name that cannot be used"),
    # Sensors, tools and skills (the reader).
    "LP701": ("error", "a Python file has a syntax error"),
    "LP702": ("error", "an argument of `@sensor` is not a literal"),
    "LP703": ("error", "a sensor needs exactly one of `webhook=` and `poll=`"),
    "LP704": ("error", "a webhook's path cannot be used"),
    "LP705": ("error", "a poll's interval cannot be read"),
    "LP706": ("error", "an unknown argument of `@sensor` or `@tool`"),
    "LP707": ("error", "an argument of `@sensor` that this version does not have"),
    "LP708": ("error", "an unknown way to verify a webhook"),
    "LP709": ("error", "a sensor does not say which events it emits"),
    "LP710": ("error", "`@sensor` or `@tool` where it cannot be used"),
    "LP711": ("warning", "a tool has no docstring"),
    "LP712": ("error", "a skill's header is wrong"),
    "LP713": ("error", "a skill's name is wrong"),
}


def severity_of(code: str) -> Literal["error", "warning"]:
    """The severity of a code that is in `CODES`."""
    return CODES[code][0]
