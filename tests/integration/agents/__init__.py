"""Runtimes, against models that say what is written for them."""
