"""Telling the workers about a photo: one message to the topic, whoever listens, or to the queue of one stage."""

import logging
from functools import cache
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError

from photofleet.broker import PHOTO_UPLOADED, create_app

logger = logging.getLogger(__name__)


class NotAnnouncedError(Exception):
    """AWS does not take a message."""


@cache
def _app() -> Celery:
    return create_app()


def prepare() -> None:
    """Make the clients that announcing needs, so that the first upload does not wait half a second for them."""
    with _app().producer_pool.acquire(block=True) as producer:
        producer.connection.default_channel  # noqa: B018 -- looking at it makes it


def announce_photo(photo_id: UUID, request_id: str) -> bool:
    """Publish that a photo was uploaded, under the id of the web request that brought it.

    Returns:
        Whether the topic took the message. If not, that is logged, and the sweeper will announce the photo.
    """
    try:
        _send(photo_id, request_id)
    except Exception:  # whatever it is, the photo is stored, and its uploader must hear so
        logger.exception("the topic did not take the message about a photo")
        return False
    logger.info("announced")
    return True


def announce_to_stage(photo_id: UUID, request_id: str, stage: str) -> None:
    """Send the same message to one stage only, where no other owes any work, so that no other fleet wakes.

    Raises:
        NotAnnouncedError: AWS does not take it; the message says why.
    """
    try:
        # The nameless direct exchange is the way to a queue. Both are said, as the task's route names the topic's.
        _send(photo_id, request_id, queue=stage, exchange="", exchange_type="direct")
    except OperationalError as error:
        raise NotAnnouncedError(str(error)) from error


def _send(photo_id: UUID, request_id: str, **route: str) -> None:
    _app().send_task(PHOTO_UPLOADED, kwargs={"photo_id": str(photo_id), "request_id": request_id}, **route)
