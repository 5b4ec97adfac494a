"""`docs/reference/language.md` names every word of the language: what the readers know is asked of the readers."""

import re
from pathlib import Path

import pytest

from loopy.compiler.filters import FILTERS
from loopy.project.registry import read_registry
from loopy.project.stepfile import read_step
from loopy.types.model import SCALARS

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "language.md").read_text(encoding="utf-8")
UNKNOWN = "zzzzzz"

# Each map of each file, holding a key that does not exist: the diagnostics then list the keys that do.
REGISTRY = f"""
{UNKNOWN}: 1
defaults: {{ {UNKNOWN}: 1 }}
agents: {{ A: {{ {UNKNOWN}: 1, harness: {{ {UNKNOWN}: 1 }} }} }}
sandboxes: {{ s: {{ {UNKNOWN}: 1, image: {{ {UNKNOWN}: 1 }}, resources: {{ {UNKNOWN}: 1 }} }} }}
tools: {{ t: {{ {UNKNOWN}: 1 }} }}
limits: {{ {UNKNOWN}: 1, cascade: {{ {UNKNOWN}: 1 }}, day: {{ {UNKNOWN}: 1 }}, workflows: {{ w: {{ {UNKNOWN}: 1 }} }} }}
prices: {{ m: {{ {UNKNOWN}: 1 }} }}
"""
STEP = f"""---
{UNKNOWN}: 1
emits: {{ E: {{ {UNKNOWN}: 1 }} }}
budget: {{ {UNKNOWN}: 1, spend: {{ {UNKNOWN}: 1 }} }}
retry: {{ {UNKNOWN}: 1 }}
concurrency: {{ {UNKNOWN}: 1 }}
executors: {{ {UNKNOWN}: 1 }}
---
Prose.
"""


def known_keys() -> list[str]:
    _, of_registry = read_registry(REGISTRY)
    _, of_step = read_step("workflows/w/s.md", STEP)
    listed = [found.help for found in (*of_registry, *of_step) if f"`{UNKNOWN}`" in found.headline]
    assert len(listed) == REGISTRY.count(UNKNOWN) + STEP.count(UNKNOWN)
    return sorted({key for keys in listed for key in keys.removeprefix("the keys are ").split(", ")})


def named(word: str) -> bool:
    """Whether the word stands somewhere in code of the reference."""
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", code) for code in re.findall(r"`([^`]+)`", REFERENCE))


@pytest.mark.parametrize("key", known_keys())
def test_every_key_that_the_readers_know_is_in_the_reference(key: str) -> None:
    assert named(key)


@pytest.mark.parametrize("word", [*SCALARS, *FILTERS])
def test_every_type_and_filter_is_in_the_reference(word: str) -> None:
    assert named(word)
