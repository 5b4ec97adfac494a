"""Where programs of agents run."""
