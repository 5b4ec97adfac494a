"""The exit codes, the same of every command and service."""

OK = 0
FAILED = 1
UNUSABLE = 2
INTERRUPTED = 130
