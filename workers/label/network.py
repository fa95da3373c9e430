"""The worker's network: loaded before any photo comes, and called as suits the worker's pool.

Without a GPU, each of the worker's processes has a network of its own, and calls it itself. With one, the worker is one
process with a thread for each of many photos (`--pool threads`), and a collector classifies for all of them together.
"""

import logging
import os
import signal
from functools import cache
from typing import Any

from celery.concurrency import get_implementation
from celery.concurrency.thread import TaskPool as ThreadPool
from celery.platforms import EX_FAILURE
from celery.signals import worker_init, worker_process_init, worker_shutdown
from celery.worker import state

from photofleet.settings import get_settings
from workers.label.collector import Collector
from workers.label.engine import Batch, Scores
from workers.label.models import Model, load_model

logger = logging.getLogger(__name__)

FAILED = signal.SIGUSR2
"""Ends a worker as SIGTERM does, but with the exit status of a failure, so that its supervisor starts another."""

_collector: Collector | None = None


@cache
def get_model() -> Model:
    """The model of the settings."""
    return load_model(get_settings())


def classify(pictures: Batch) -> Scores:
    """Return the network's scores of a photo's pictures (n, size, size, 3). Raises Outage where it cannot now."""
    return _collector.classify(pictures) if _collector else get_model().classify(pictures)


def _start(sender: Any, **_: Any) -> None:
    """Make the worker's main process ready, before there is a pool."""
    signal.signal(FAILED, _fail)
    if not issubclass(get_implementation(sender.pool_cls), ThreadPool):
        return
    try:
        model = get_model()
    except BaseException:
        logger.exception("The network cannot be loaded.")
        raise SystemExit(EX_FAILURE) from None
    global _collector
    _collector = Collector(model.classify, get_settings().label_batch, on_failure=_end_for_failure)


def _load_in_process(**_: Any) -> None:
    """Load the network when a process starts, after the fork, so that no photo waits for it.

    Where it cannot be loaded, stop the worker: another process would do no better, and photos are not to fail for it.
    """
    try:
        get_model()
    except BaseException:  # wrong settings, no memory, a broken installation
        logger.exception("The network cannot be loaded.")
        os.kill(os.getppid(), FAILED)
        raise SystemExit(EX_FAILURE) from None  # or this process would be taken for one that is up


def _stop(**_: Any) -> None:
    if _collector:
        _collector.close()


def _fail(*_: Any) -> None:
    state.should_stop = EX_FAILURE


def _end_for_failure() -> None:
    os.kill(os.getpid(), FAILED)


worker_init.connect(_start)
worker_process_init.connect(_load_in_process)
worker_shutdown.connect(_stop)
