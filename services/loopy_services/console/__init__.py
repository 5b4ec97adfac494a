"""Console shows: a JSON API of runs, cascades, deliveries, dead letters and the plan."""
