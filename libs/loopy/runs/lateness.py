"""What was long under way: its run may have been archived meanwhile, and what says that it is settled deleted.

Whoever acts on a message without a look at the journal trusts that nothing of its run was deleted. That is so for as
long as the janitor keeps every run, which is longer than this. A process that stood still in between, on a machine that
was asleep, say, looks.
"""

from datetime import datetime, timedelta

LATE = timedelta(minutes=10)


def is_late(made_at: datetime, now: datetime) -> bool:
    """Whether what was made then may be of a run that was archived since."""
    return now - made_at > LATE
