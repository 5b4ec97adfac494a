"""`python -m loopy_services.ingress`: this service as a process."""

import sys

from loopy.kit.process import serve_main

sys.exit(serve_main("ingress"))
