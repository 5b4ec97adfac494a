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
    "LP121": ("error", "a file lies where nothing reads it"),
    # The registry (the reader).
    "LP201": ("error", "the registry has an unknown key"),
    "LP202": ("error", "a registry key has a value of the wrong shape"),
    "LP203": ("error", "one setting is written in two places"),
    "LP204": ("error", "a value is not one of the known ones"),
    "LP205": ("error", "an amount of memory or disk cannot be read"),
    "LP206": ("error", "a name of the registry cannot be used"),
    "LP207": ("error", "a host of an egress allowlist cannot be read"),
    "LP208": ("error", "an expectation cannot be read"),
    "LP209": ("error", "an MCP server's address is not an http(s) URL"),
    "LP210": ("error", "`isolation: none` outside provider `local`"),
    # References (the compiler).
    "LP300": ("error", "the project has no registry"),
    "LP301": ("error", "an unknown agent"),
    "LP302": ("error", "an unknown field"),
    "LP303": ("error", "an unknown event"),
    "LP304": ("error", "an unknown step"),
    "LP305": ("error", "an unknown sandbox"),
    "LP306": ("error", "an unknown skill"),
    "LP307": ("error", "an unknown runtime"),
    "LP308": ("error", "an unknown sandbox provider"),
    "LP309": ("error", "limits for an unknown workflow"),
    "LP310": ("error", "a reference to a step that is not upstream"),
    "LP311": ("error", "a name without a step or event before it"),
    "LP312": ("error", "a command agent without a command"),
    "LP313": ("error", "a step without an agent"),
    # The graph (the compiler).
    "LP401": ("error", "a workflow has no trigger"),
    "LP402": ("error", "a workflow has more than one trigger"),
    "LP403": ("error", "a step has both `on` and `after`"),
    "LP404": ("error", "a step has neither `on` nor `after`"),
    "LP405": ("error", "a step runs after itself"),
    "LP406": ("error", "a name is written twice in one list"),
    "LP407": ("error", "steps that wait for each other"),
    "LP408": ("error", "names that differ only in case"),
    "LP409": ("error", "two functions of one name"),
    "LP410": ("error", "a step has a name that cannot be referred to"),
    "LP411": ("error", "a key that only the entry step may have"),
    "LP412": ("error", "a key that only a schedule may have"),
    "LP413": ("error", "an event has a reserved prefix"),
    "LP414": ("error", "a name that cannot be part of a subject"),
    # Types (the reader).
    "LP501": ("error", "an unknown type"),
    "LP502": ("error", "a type cannot be read"),
    "LP503": ("error", "an enum's members are wrong"),
    "LP504": ("error", "a JSON Schema fragment is not valid"),
    "LP505": ("error", "a field has a name that cannot be used"),
    # Prose and conditions (the compiler).
    "LP601": ("error", "prose that is not a template"),
    "LP602": ("error", "an unknown filter or test"),
    "LP603": ("error", "a filter on a value of the wrong type"),
    "LP604": ("error", "a construct that prose may not hold"),
    "LP605": ("error", "a loop over what is not a list"),
    "LP606": ("error", "an optional value used as if it were there"),
    "LP607": ("error", "a field of a value that has none"),
    "LP610": ("error", "a condition that cannot be read"),
    "LP611": ("error", "a condition that is neither true nor false"),
    "LP612": ("error", "a text that is no member of the enum"),
    "LP613": ("error", "values that cannot be compared"),
    "LP614": ("error", "a construct that a condition may not hold"),
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
    "LP714": ("error", "a sensor or tool that cannot be called"),
    # Schedules, and sensors among each other (the compiler).
    "LP720": ("error", "a cron expression that cannot be read"),
    "LP721": ("error", "an unknown time zone"),
    "LP722": ("error", "two sensors with one webhook path"),
    "LP723": ("error", "a wait longer than the bus remembers"),
    # Risk and cost (the compiler).
    "LP801": ("warning", "a tool that is not defined"),
    "LP802": ("warning", "an event that nothing produces"),
    "LP803": ("warning", "workflows that start each other"),
    "LP804": ("warning", "an agent that no step uses"),
    "LP805": ("warning", "a sandbox that no agent uses"),
    "LP806": ("warning", "an event that nothing uses"),
    "LP807": ("warning", "a skill that no agent uses"),
    "LP808": ("warning", "a value of a step that may be skipped"),
    "LP810": ("error", "a spend budget for a model without a price"),
    "LP811": ("warning", "a spend limit that does not see a model without a price"),
    # Our own.
    "LP901": ("error", "a bug in Loopy"),
}


def severity_of(code: str) -> Literal["error", "warning"]:
    """The severity of a code that is in `CODES`."""
    return CODES[code][0]
