"""Who may use a protected API. Decisions only: headers and facts in, a refusal or None out.

On a loopback address any process of this machine may, but a web page may not: a page whose own name has been made to
resolve to 127.0.0.1 (DNS rebinding) is told by the `Host` that its browser sends, and one that posts here from where it
is by the `Origin`. On any other address a bearer token is needed, and neither says anything.
"""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from loopy.kit.problems import Problem
from loopy.kit.secret import Secret

Headers = Sequence[tuple[bytes, bytes]]

UNAUTHORISED = "send `Authorization: Bearer <token>`; the token is what LOOPY_TOKEN is set to where this server runs"
FOREIGN = "this server answers to no page of another origin: the `Origin` header names something else than this machine"
MISDIRECTED = "this server answers to localhost alone: the `Host` header names something else"


def is_loopback(address: str) -> bool:
    """Whether an IP address can be reached from this machine only."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def refusal(headers: Headers, *, loopback: bool, token: Secret | None) -> Problem | None:
    """Why a request to a protected API is refused, or None when it is not. Header names are in lower case."""
    if loopback:
        hosts = [value for name, value in headers if name == b"host"]
        if not hosts or not all(map(_is_local, hosts)):
            return Problem(421, MISDIRECTED)
        origins = [value for name, value in headers if name == b"origin"]
        return None if all(_is_local(origin.partition(b"://")[2]) for origin in origins) else Problem(403, FOREIGN)
    if token is not None and _bears(headers, token):
        return None
    return Problem(401, UNAUTHORISED, headers={"WWW-Authenticate": 'Bearer realm="loopy"'})


def _bears(headers: Headers, token: Secret) -> bool:
    """Whether exactly one Authorization header is there and holds the token."""
    given = [value for name, value in headers if name == b"authorization"]
    if len(given) != 1:
        return False
    scheme, _, credentials = given[0].partition(b" ")
    return scheme.lower() == b"bearer" and token.matches(credentials.strip())


def _is_local(host: bytes) -> bool:
    """Whether a Host header, with or without a port, names this machine."""
    try:
        name = urlsplit(f"//{host.decode('ascii')}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or is_loopback(name)
