"""The part of a worker that takes messages: `worker_consumer = "photofleet.broker.sqs:Consumer"`."""

import logging
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer

logger = logging.getLogger(__name__)


class Consumer(CeleryConsumer):  # type: ignore[misc]  # Celery has no types
    """Celery's, which buries what it cannot read. Celery itself would delete it."""

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Send a message that cannot be decoded to the dead-letter queue."""
        logger.error("a message cannot be decoded: %s: %.200r", exc, message.body)
        message.reject_log_error(logger, self.connection_errors)
