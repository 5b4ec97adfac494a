"""`python -m loopy_services.scheduler`: the scheduler as a process of its own."""

import sys

from loopy.kit.process import serve_main

sys.exit(serve_main("scheduler"))
