"""What agents do to the feature flags: a JSON file, `.loopy/flags.json`, that the service would read."""

import asyncio
import fcntl
import json
from pathlib import Path
from typing import TypedDict

from loopy import ToolContext, tool

FLAGS = Path(__file__).parents[1] / ".loopy" / "flags.json"


class Flags(TypedDict):
    """Every flag as it now is, and the names of those that this call changed."""

    flags: dict[str, bool]
    changed: list[str]


@tool
async def set_flags(ctx: ToolContext, flags: dict[str, bool]) -> Flags:
    """Switch feature flags on or off; flags that are not named keep their state."""
    return await asyncio.to_thread(_set, flags)


def _set(flags: dict[str, bool]) -> Flags:
    """Read, change and replace the file under a lock: nobody reads half a file, and no change is lost."""
    FLAGS.parent.mkdir(parents=True, exist_ok=True)
    with FLAGS.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before: dict[str, bool] = json.loads(FLAGS.read_text(encoding="utf-8")) if FLAGS.exists() else {}
        after = before | flags
        draft = FLAGS.with_suffix(".draft")
        draft.write_text(json.dumps(after, indent=2, sort_keys=True), encoding="utf-8")
        draft.replace(FLAGS)
    return Flags(flags=after, changed=sorted(name for name in flags if before.get(name) != flags[name]))
