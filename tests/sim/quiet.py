"""What makes a simulation quick: no logs, and virtual time that passes in long strides."""

import contextlib
import gc
import logging
import random
import secrets
from collections.abc import Iterator
from functools import partial
from unittest.mock import patch

import structlog

from loopy.bus import claims, cursor, pull
from loopy.bus import consumer as consuming
from tests.sim import large

# Consumers look around, and are told that they are not forgotten, less often than in life: virtual time passes faster.
TICK_S = 5.0
HEARTBEAT_S = 4
EXPIRES_S = 20


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without logs, and with consumers that look around less often: virtual time passes in long strides.

    What is garbage is collected afterwards: it takes a tenth of the time, and ends generators at moments of its own.
    """
    configuration = structlog.get_config()
    collecting = gc.isenabled()
    gc.disable()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        with (
            patch.object(consuming, "TICK_S", TICK_S),
            patch.object(claims, "CHUNK_BYTES", large.CHUNK_BYTES),
            patch.object(cursor, "TICK_S", TICK_S),
            patch.object(secrets, "token_hex", lambda size: random.randbytes(size).hex()),
            patch.object(pull, "HEARTBEAT_S", HEARTBEAT_S),
            patch.object(
                pull, "_Request", partial(pull._Request, expires=_ns(EXPIRES_S), idle_heartbeat=_ns(HEARTBEAT_S))
            ),
        ):
            yield
    finally:
        structlog.configure(**configuration)
        logging.disable(logging.NOTSET)
        if collecting:
            gc.enable()


def _ns(seconds: int) -> int:
    return seconds * 1_000_000_000
