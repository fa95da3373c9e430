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

from photofleet.settings import Settings, get_settings, variable
from photofleet.storage import s3
from workers.label.collector import Collector
from workers.label.engine import Batch, Scores
from workers.label.models import Model, ModelError, load_model, wants_gpu
from workers.label.weights import read_weights

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
    try:
        if issubclass(get_implementation(sender.pool_cls), ThreadPool):
            _start_collector()
        else:
            prepare_for_processes(get_settings())
    except BaseException:
        logger.exception("The network cannot be loaded.")
        raise SystemExit(EX_FAILURE) from None


def _start_collector() -> None:
    global _collector
    _collector = Collector(get_model().classify, get_settings().label_batch, on_failure=_end_for_failure)


def prepare_for_processes(settings: Settings) -> None:
    """Do what is to be done once, before a pool of processes: they have a minute to start, and nobody to share with.

    Raises:
        ModelError: the network's file cannot be had, or is for a GPU, of which each process would take what it can.
    """
    if wants_gpu(settings):
        raise ModelError(
            "A GPU works for one process: start the worker with --pool threads, or set "
            f"{variable('label_device')}=cpu to do without the GPU"
        )
    read_weights(settings)  # and keep the file, if it is in S3
    s3.cache_clear()  # each process makes connections of its own


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
