"""The label fleet's application, on a machine that seems to have a GPU."""

from workers.label import network
from workers.label.celery import app

__all__ = ["app"]

network.wants_gpu = lambda _: True
