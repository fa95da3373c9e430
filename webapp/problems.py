"""Errors: a page for people, problem details (RFC 9457) for programs."""

import logging
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, jsonify, make_response, render_template, request
from sqlalchemy import exc
from werkzeug.exceptions import ClientDisconnected, HTTPException

from photofleet.settings import Settings
from photofleet.storage import STORAGE_ERRORS
from webapp.uploads.refusals import UploadRefused

logger = logging.getLogger(__name__)

DEPENDENCY_ERRORS = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError, *STORAGE_ERRORS)
"""What it looks like when the database or S3 does not answer."""

LINGER_BYTES = 64 * 2**20
"""How much of a refused upload is read and thrown away, so that its sender is still there to read the answer."""

UNAVAILABLE = "Part of the service does not answer right now. Please try again in a minute."
BROKEN = "Something went wrong on our side. It has been noted under the number {}; please try again."


def init_app(app: Flask, settings: Settings) -> None:
    """Answer every error in the way that suits who asked."""

    @app.errorhandler(UploadRefused)
    def refused(error: UploadRefused) -> Response:
        return problem(error.status, str(error), slug=error.slug)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return problem(status, _too_large(settings.upload_max_request_bytes), slug="request-too-large")
        answer = problem(status, error.description or "")
        for name, value in error.get_headers():  # such as Allow, which says what would be allowed
            answer.headers.setdefault(name, value)
        return answer

    def unavailable(error: Exception) -> Response:
        logger.error("a dependency does not answer: %s", error)
        answer = problem(503, UNAVAILABLE, slug="unavailable")
        answer.headers["Retry-After"] = "30"
        return answer

    for kind in DEPENDENCY_ERRORS:
        app.register_error_handler(kind, unavailable)

    @app.errorhandler(ClientDisconnected)
    def silent(_: ClientDisconnected) -> Response:
        return problem(HTTPStatus.REQUEST_TIMEOUT, "The upload broke off. Please try again.")

    @app.errorhandler(Exception)
    def broken(error: Exception) -> Response:
        logger.error("an unexpected error", exc_info=error)
        return problem(500, BROKEN.format(g.request_id))

    app.after_request(_linger)


def problem(status: int, detail: str, *, slug: str | None = None, **members: Any) -> Response:
    """An error as whoever asked can read it: problem details under /api, with further members, a page elsewhere."""
    title = HTTPStatus(status).phrase
    if request.path.startswith("/api/"):
        answer = jsonify(
            type=f"urn:photofleet:problem:{slug}" if slug else "about:blank",
            title=title,
            status=status,
            detail=detail,
            instance=f"urn:photofleet:request:{g.request_id}",
            **members,
        )
        answer.content_type = "application/problem+json"
    else:
        answer = make_response(render_template("error.html", status=status, title=title, detail=detail))
    answer.status_code = status
    return answer


def _too_large(limit: int) -> str:
    if request.content_length is None or request.content_length > limit:
        return (
            f"That is too much at once: at most {limit // 1_000_000} MB are accepted in one request. "
            "Please send fewer or smaller photos."
        )
    return "The form has too many fields, or too much text in them. Please use the form on this site."


def _linger(response: Response) -> Response:
    """Read what is left of a refused body: a connection that is closed on unread data takes the answer with it."""
    refused = response.status_code >= HTTPStatus.BAD_REQUEST and response.status_code != HTTPStatus.REQUEST_TIMEOUT
    if request.method == "POST" and refused:
        left = LINGER_BYTES if request.content_length is None else min(LINGER_BYTES, request.content_length)
        with suppress(OSError):  # the sender has gone, or fallen silent
            while left > 0 and (chunk := request.environ["wsgi.input"].read(min(left, 2**16))):
                left -= len(chunk)
    return response
