"""An id for every request: in its log lines, in the messages it sends, and in its answer."""

import logging
import secrets
import time

from flask import Flask, Response, g, request

from photofleet.logs import log_context
from photofleet.settings import Settings

logger = logging.getLogger(__name__)

_NOT_LOGGED = ("health.",)


def init_app(app: Flask, _: Settings) -> None:
    """Give each request its id, and log it when it has been answered."""
    app.before_request(_begin)
    app.after_request(_log)
    app.teardown_request(_end)


def _begin() -> None:
    g.request_id = secrets.token_hex(8)
    g.began = time.perf_counter()
    g.log_context = log_context(request_id=g.request_id)
    g.log_context.__enter__()


def _log(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    if not (request.endpoint or "").startswith(_NOT_LOGGED):
        milliseconds = (time.perf_counter() - g.began) * 1000
        logger.info("%s %s %d in %.0f ms", request.method, request.path[:200], response.status_code, milliseconds)
    return response


def _end(_: BaseException | None) -> None:
    if context := g.pop("log_context", None):
        context.__exit__(None, None, None)
