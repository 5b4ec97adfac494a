"""Facts of runs, their ids, what they add up to, and what must exist next. Pure."""
