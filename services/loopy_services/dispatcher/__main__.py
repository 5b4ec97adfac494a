"""`python -m loopy_services.dispatcher`: the dispatcher as a process of its own."""

import sys

from loopy.kit.process import serve_main

sys.exit(serve_main("dispatcher"))
