"""The prompt says who the agent is, what to do, and how to answer."""

from loopy.agents.prompt import compose
from loopy.compiler.plan import Agent
from tests.support.assignments import ITEM, assigned


def test_the_whole_prompt() -> None:
    step = assigned({"verdict": "enum[pass, fail]", "why": {"text": "str", "links": "list[url]"}}, {"WorkItem": ITEM})
    assert compose(Agent("Fixer", "command", role="You mend."), step.step, "\nFix {{ it }}.\n", step.events) == (
        """\
You mend.

Fix {{ it }}.

## Your answer

Answer with one JSON document and nothing else:

    {"output": {…}, "emits": {"WorkItem": [{…}]}}

`output` has exactly these fields:
- `verdict`: enum[pass, fail]
- `why`: {"text": "str", "links": "list[url]"}

`emits` has a list of payloads for each event that is to be published; leave out those that are not:
- `WorkItem`, at most 3, each with exactly these fields:
  - `link`: url
  - `title`: str
"""
    )


def test_a_step_that_gives_nothing() -> None:
    step = assigned()
    text = compose(Agent("Fixer", "command"), step.step, "Do it.", {})
    assert text.startswith("Do it.\n\n## Your answer")
    assert text.endswith('    {"output": {}, "emits": {}}\n\n`output` is empty.\n')
