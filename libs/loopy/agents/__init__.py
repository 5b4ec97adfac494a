"""Runtimes: an assignment goes in, a reply comes out, and is held against the step's types."""
