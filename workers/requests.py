"""A message about a photo in a worker's main process, checked before anything is done for it."""

from typing import Any
from uuid import UUID

from celery.exceptions import InvalidTaskError, SoftTimeLimitExceeded
from celery.worker.request import Request
from celery.worker.state import task_ready

from photofleet.logs import log_context

NEVER_SENT = ("eta", "expires", "timelimit", "stamped_headers", "group", "chord", "callbacks", "errbacks", "chain")
"""What Celery would act upon before or after the task, and whoever announces photos never asks for."""


class PhotoRequest(Request):  # type: ignore[misc]  # Celery has no types
    """A message, of which only what we send is accepted; what happens to its task is logged with the photo's id."""

    def __init__(self, message: Any, **kwargs: Any) -> None:
        """Read a message.

        Raises:
            InvalidTaskError: It was not made by us, and goes to the dead-letter queue. Celery would trip over some of
                what it may say only after it had reserved a process for it.
        """
        try:
            super().__init__(message, **kwargs)
            places = (message.headers, message.payload[2])
            odd = [name for name in NEVER_SENT if any(_says_something(place.get(name)) for place in places)]
            photo_id, request_id = self.kwargs["photo_id"], self.kwargs["request_id"]
            is_ours = not odd and not self.args and self.kwargs.keys() == {"photo_id", "request_id"}
            is_ours = is_ours and isinstance(request_id, str) and str(UUID(photo_id)) == photo_id
        except Exception as error:
            raise InvalidTaskError(f"not about a photo: {error!r}") from error
        if not is_ours:
            raise InvalidTaskError(f"not about a photo as we announce it: {odd or self.kwargs!r:.200}")
        self._ids = {"request_id": request_id, "photo_id": photo_id}

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Settle a task that raised, or whose process died."""
        with log_context(**self._ids):
            error = getattr(exc_info.exception, "exc", exc_info.exception)
            # Where memory ends in a process, Celery would end the worker. And the soft time limit may strike when the
            # attempt has been settled already, as during the pause in an outage.
            if isinstance(error, MemoryError | SoftTimeLimitExceeded):
                task_ready(self)
                return self.reject(requeue=True)
            return super().on_failure(exc_info, *args, **kwargs)

    def on_timeout(self, *args: Any, **kwargs: Any) -> Any:
        """Settle a task that has run into a time limit."""
        with log_context(**self._ids):
            return super().on_timeout(*args, **kwargs)


def _says_something(value: object) -> bool:
    return any(value) if isinstance(value, list | tuple) else bool(value)
