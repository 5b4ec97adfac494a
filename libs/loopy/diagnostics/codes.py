"""Every diagnostic's code. A code is permanent: it is never renumbered or used again for something else.

`LP1xx` file syntax, `2xx` registry, `3xx` references, `4xx` graph, `5xx` types, `6xx` prose templates and `when`,
`7xx` sensors, tools and schedules, `8xx` warnings of risk and cost, `9xx` our own bug. Each code owns a page in
`pages/` (`loopy explain LP302`), whose examples are tests.
"""

from typing import Literal

# code → (severity, title). Titles are what `loopy explain` lists; a diagnostic's headline names the author's own words.
CODES: dict[str, tuple[Literal["error", "warning"], str]] = {}


def severity_of(code: str) -> Literal["error", "warning"]:
    """The severity of a code that is in `CODES`."""
    return CODES[code][0]
