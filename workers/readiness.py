"""Telling systemd that the worker is up: that it takes messages, and has a process that can work on them.

A unit with `Type=notify` waits for that: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import os
import socket
from threading import Thread
from typing import Any

from celery.concurrency.thread import TaskPool as ThreadPool
from celery.signals import worker_process_init, worker_ready


def _set_up(address: str) -> None:
    """Have the worker tell whoever listens at an address, where one that begins with @ is no file."""
    process_is_up = os.eventfd(0)

    def tell() -> None:
        os.eventfd_read(process_is_up)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notification:
            notification.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            notification.send(b"READY=1")

    def in_process(**_: Any) -> None:
        os.eventfd_write(process_is_up, 1)

    def in_worker(sender: Any, **_: Any) -> None:
        Thread(target=tell, daemon=True).start()
        if isinstance(sender.pool, ThreadPool):  # the one process there is
            in_process()

    worker_process_init.connect(in_process, weak=False)
    worker_ready.connect(in_worker, weak=False)


# Taken away, as it concerns none of the processes that this one starts.
if _address := os.environ.pop("NOTIFY_SOCKET", ""):
    _set_up(_address)
