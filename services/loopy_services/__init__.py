"""The five services. Each has a shell (`service.py`), a pure core (`core.py`) and its own process (`__main__.py`)."""
