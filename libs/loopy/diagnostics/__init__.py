"""What is wrong with a project, where, and how to mend it: codes, places, rendering. Pure."""
