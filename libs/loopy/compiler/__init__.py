"""From what is written to the plan. Pure; never imports or runs an author's code."""
