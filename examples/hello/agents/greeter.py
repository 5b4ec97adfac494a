#!/usr/bin/env python3
"""An agent that needs no model. The prompt comes on stdin: the step's prose, then what an answer looks like."""

import json
import sys

prose = sys.stdin.readline().strip()
print(json.dumps({"output": {"greeting": prose}}))
