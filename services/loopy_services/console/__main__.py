"""`python -m loopy_services.console`: this service as a process."""

import sys

from loopy.kit.process import serve_main

sys.exit(serve_main("console"))
