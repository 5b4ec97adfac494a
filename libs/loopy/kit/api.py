"""A Litestar application as every service here makes one: no schema pages, no signals, errors as problem documents."""

from collections.abc import Sequence
from typing import Any

import structlog
from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from loopy.kit.problems import MEDIA_TYPE, Problem

DETAILS = {
    404: "nothing is served at this path",
    405: "this path does not take this method; `Allow` lists those that it takes",
}
TOO_LARGE, SERVER_ERROR = 413, 500


def api(routes: Sequence[HTTPRouteHandler], *, max_body: int = 0) -> Litestar:
    """An application of these routes; bodies are at most `max_body` bytes, counted while they are read; answers are
    for this one client and not to be guessed at."""
    return Litestar(
        route_handlers=list(routes),
        state=State({"max_body": max_body}),
        openapi_config=None,
        logging_config=None,
        request_max_body_size=max_body,
        response_headers={"cache-control": "no-store", "x-content-type-options": "nosniff"},
        exception_handlers={Problem: _problem, HTTPException: _refused, Exception: _failed},
    )


def _problem(request: Request[Any, Any, Any], problem: Problem) -> Response[dict[str, Any]]:
    return Response(problem.document, status_code=problem.status, media_type=MEDIA_TYPE, headers=problem.headers)


def _refused(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    """What Litestar itself refuses: an unknown path, a wrong method, a body that is too large."""
    if error.status_code == TOO_LARGE:
        limit = request.app.state["max_body"]
        return _problem(request, Problem(TOO_LARGE, f"the body is larger than {limit} bytes"))
    if error.status_code >= SERVER_ERROR:
        return _failed(request, error)
    detail = DETAILS.get(error.status_code) or error.detail
    return _problem(request, Problem(error.status_code, detail, headers=error.headers))


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    structlog.get_logger().error("request.failed", exc_info=error)
    return _problem(request, Problem(SERVER_ERROR, "this server made a mistake; its log says which"))
