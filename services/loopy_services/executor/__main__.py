"""`python -m loopy_services.executor`: the executor as a process of its own."""

import sys

from loopy.kit.process import serve_main

sys.exit(serve_main("executor"))
