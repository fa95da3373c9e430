"""How gunicorn runs the web tier: `gunicorn --config python:webapp.gunicorn_config webapp.wsgi:app`."""

import logging

from gunicorn.glogging import Logger

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


def post_worker_init(_: object) -> None:
    """Make ready what the first upload would wait for; after the fork, as clients must not be shared."""
    announce.prepare()
    storage.prepare()


logger_class = PhotofleetLogger

# An upload waits for its client most of the time, so that a thread suits it; a page takes milliseconds.
worker_class = "gthread"
workers = 2
threads = 8

# Longer than the 60 seconds for which a load balancer keeps an idle connection, so that only it closes one.
keepalive = 75

graceful_timeout = 30

# It would listen at a path in the home folder, shared by all that runs under this user.
control_socket_disable = True
