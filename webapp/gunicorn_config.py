"""How gunicorn runs the web tier: `gunicorn --config python:webapp.gunicorn_config webapp.wsgi:app`."""

import gc
import logging
import socket
import struct
import sys
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from photofleet import announce, storage
from photofleet.logs import configure_logging
from photofleet.settings import get_settings


class PhotofleetLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Sends gunicorn's own lines the way of all others; requests are logged by the application."""

    def setup(self, cfg: object) -> None:
        """Leave the handlers to the root logger."""
        configure_logging(get_settings())
        self.error_log = logging.getLogger("gunicorn.error")
        self.error_log.propagate = True

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Make no fuss of a client that fell silent before its request was whole."""
        if isinstance(sys.exc_info()[1], BlockingIOError):
            self.debug("A client fell silent.")
        else:
            super().exception(msg, *args, **kwargs)


SILENCE_S = 20
"""A client that sends nothing for so long in the middle of a request is cut off, and its thread is free again."""


def post_worker_init(_: object) -> None:
    """Make ready what the first upload would wait for; after the fork, as clients must not be shared."""
    announce.prepare()
    storage.prepare()
    gc.collect()
    gc.freeze()  # what is left stays: to look through all of it for garbage takes a tenth of a second, in some request


logger_class = PhotofleetLogger


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A thread for each request, which does not wait for ever for a client that has gone silent."""

    def handle(self, conn: Any) -> Any:
        """Answer one request; gunicorn itself has no time-out for the reading of it."""
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", SILENCE_S, 0))
        return super().handle(conn)


# An upload waits for its client most of the time, so that a thread suits it, and many do not cost much.
worker_class = Worker
workers = 2
threads = 32

# Longer than the 60 seconds for which a load balancer keeps an idle connection, so that only it closes one.
keepalive = 75

graceful_timeout = 30

# It would listen at a path in the home folder, shared by all that runs under this user.
control_socket_disable = True
