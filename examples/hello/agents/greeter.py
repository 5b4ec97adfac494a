#!/usr/bin/env python3
"""An agent that needs no model: the prompt comes on stdin, the answer goes to stdout as JSON."""

import json
import sys

print(json.dumps({"output": {"greeting": sys.stdin.read().strip()}}))
