"""From files to what is written in them, with the place of every word. Reading never fails."""
