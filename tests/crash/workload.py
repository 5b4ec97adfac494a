"""The project that runs while things are killed: joins, retries, skips, emits, schedules, polls and webhooks.

Its agent is one small program, which notes each execution in the file `executions` and answers by step and number
alone, so that what must come of a delivery is known from its number (`expectations`). Some of it takes longer than a
lease lasts; what fails for good succeeds once somebody has mended it, by a file of the run's name in `mended`.
"""

import json
from pathlib import Path

PROGRAM = r"""#!/bin/sh
read -r _ _ _ executor _ </proc/$PPID/stat
[ "$executor" -ne 1 ] || exit 9 # the executor is dead, and this is about to be killed
read -r now _ </proc/uptime
place=${TMPDIR##*/}; run=${TMPDIR%/tmp/*}; run=${run##*/}
place=${place%-*}; attempt=${place##*-}; place=${place%-*}; epoch=${place##*-}; step=${place%-*}
echo "$run $step $epoch $attempt $executor $$ $now" >>"${0%/*}/../executions"
while read -r line; do case $line in number=*) number=${line#number=} ;; esac; done
sleep 0.03
output="\"by\": \"$executor-$$\""
case $step in
hear) [ "$number" -ge 100000 ] || [ -e "${0%/*}/../mended/$run" ] || { echo "nobody listens" >&2; exit 3; } ;;
guard) [ $((number % 6)) -ne 5 ] || sleep 4 ;;
left) [ "$attempt" -gt $((number % 3)) ] || { echo "attempt $attempt of $number fails" >&2; exit 4; } ;;
split) fancy=false; [ $((number % 2)) -ne 0 ] || fancy=true; output="$output, \"fancy\": $fancy" ;;
esac
[ -d "$TMPDIR" ] || { echo "somebody removed its directory" >&2; exit 5; }
parcels=
if [ "$step" = join ]; then
    index=0
    while [ $index -lt $((number % 3)) ]; do
        parcels="$parcels${parcels:+, }{\"number\": $number, \"index\": $index}"; index=$((index + 1))
    done
    echo "{\"output\": {$output}, \"emits\": {\"Parcel\": [$parcels]}}"
else
    echo "{\"output\": {$output}}"
fi
"""
RETRY = "retry: { attempts: 3, backoff: 0.3s, max_backoff: 1s }"
STEPS = {
    "make/split": "on: Order\noutput: { by: str, fancy: bool }",
    "make/left": f"after: split\noutput: {{ by: str }}\n{RETRY}",
    "make/right": "after: split\noutput: { by: str }",
    "make/join": "after: [left, right]\noutput: { by: str }\nemits: { Parcel: { max: 2 } }",
    "make/polish": "after: join\nwhen: split.fancy == true\noutput: { by: str }",
    "make/crate": "after: polish\noutput: { by: str }",
    "ship/pack": "on: Parcel\noutput: { by: str }",
    "escort/guard": "on: Parcel\nwhen: event.index > 0\noutput: { by: str }",
    "refund/hear": "on: Complaint\nretry: { attempts: 2, backoff: 0.3s }\noutput: { by: str }",
    "refund/answer": "after: hear\noutput: { by: str }",
    "note/jot": "on: Reading\noutput: { by: str }",
    "sweep/clean": 'on: cron("* * * * *")\ncatch_up: all\noverlap: allow\noutput: { by: str }',
    "tally/count": 'on: cron("* * * * *")\noutput: { by: str }',
}
MENDED = "mended"
WITHOUT_NUMBER = ("note", "sweep", "tally")
SENSORS = '''"""Orders come by webhook, readings are polled."""

from loopy import sensor
from loopy.events import Complaint, Order, Reading


@sensor(webhook="/hooks/order", emits=["Order", "Complaint"])
def orders(req):
    """An order; every tenth customer complains at once."""
    number = req.json["number"]
    yield Order(number=number)
    if number % 10 == 7:
        yield Complaint(number=number)


@sensor(poll="2s", emits="Reading")
async def gauge(tick):
    """One reading for each time that is due."""
    yield Reading(at=tick.scheduled_at, since=tick.last_run)
'''
EVENTS = {
    "Order": {"number": "int"},
    "Complaint": {"number": "int"},
    "Parcel": {"number": "int", "index": "int"},
    "Reading": {"at": "datetime", "since": "datetime?"},
}


def write_workload(root: Path) -> Path:
    """Write the project."""
    registry = {
        "agents": {"Worker": {"sandbox": "here", "harness": {"runtime": "command", "run": ["agents/work.sh"]}}},
        "sandboxes": {"here": {"provider": "local", "isolation": "none"}},
        "events": EVENTS,
    }
    files = {"registry.yml": json.dumps(registry, indent=2), "sensors/edge.py": SENSORS, "agents/work.sh": PROGRAM}
    for name, head in STEPS.items():
        said = "" if name.startswith(WITHOUT_NUMBER) else "number={{ event.number }}\n"
        files[f"workflows/{name}.md"] = f"---\n{head}\nagent: Worker\n---\n{said}Do it.\n"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (root / "agents/work.sh").chmod(0o755)
    (root / MENDED).mkdir()
    return root
