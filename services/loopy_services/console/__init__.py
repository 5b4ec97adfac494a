"""Console shows: a read-only JSON API of runs, cascades, deliveries and the plan."""
