"""What the label fleet does when a photo was uploaded."""

import logging
import os
import signal
from functools import cache, partial
from typing import IO, Any
from uuid import UUID

from celery.platforms import EX_FAILURE
from celery.signals import worker_init, worker_process_init
from celery.worker import state

from photofleet.broker import PHOTO_UPLOADED
from photofleet.catalog.models import LABEL, Photo
from photofleet.catalog.results import record_labels
from photofleet.images.formats import Format
from photofleet.settings import get_settings
from workers.failures import PhotoTask
from workers.image import decode, flatten
from workers.label.celery import app
from workers.label.classifier import Classifier, load_classifier
from workers.label.labels import top_labels
from workers.stage import Record, run_stage

logger = logging.getLogger(__name__)

FAILED = signal.SIGUSR2
"""Ends a worker as SIGTERM does, but with the exit status of a failure."""


@app.task(base=PhotoTask, name=PHOTO_UPLOADED)
def photo_uploaded(photo_id: str, request_id: str) -> None:
    """Find out what a photo shows, and record it."""
    run_stage(LABEL, UUID(photo_id), request_id, find_labels)


def find_labels(photo: Photo, original: IO[bytes]) -> Record:
    """Label a photo's original with the network of the settings."""
    settings = get_settings()
    classifier = _classifier()
    least = classifier.preprocessing.short_side  # a larger photo may be decoded smaller
    image = decode(original, Format.named(photo.format), at_least=(least, least), max_pixels=settings.max_pixels)
    (scores,) = classifier.classify([flatten(image)])
    found = top_labels(scores, threshold=settings.label_threshold, limit=settings.label_limit)
    source = f"{classifier.name}@{classifier.version}"
    return partial(record_labels, photo_id=photo.id, source=source, labels=found)


@cache
def _classifier() -> Classifier:
    settings = get_settings()
    return load_classifier(settings.label_model, settings.label_weights, settings.label_device)


def _load_classifier(**_: Any) -> None:
    """Load the network when the process starts, after the fork, so that no photo waits for it.

    Where it cannot be loaded, stop the worker: another process would do no better, and photos are not to fail for it.
    """
    try:
        _classifier()
    except BaseException:  # wrong settings, a full GPU, a broken installation
        logger.exception("The network cannot be loaded.")
        os.kill(os.getppid(), FAILED)
        raise SystemExit(1) from None  # or this process would be taken for one that is up


def _heed_failure(**_: Any) -> None:
    def stop(*_: Any) -> None:
        state.should_stop = EX_FAILURE

    signal.signal(FAILED, stop)


worker_init.connect(_heed_failure)
worker_process_init.connect(_load_classifier)
