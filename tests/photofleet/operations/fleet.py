"""A fleet that stands in for the real one of a stage: it does in the catalog what that would do, and nothing else."""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import boto3
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from photofleet.catalog.models import RESIZE
from photofleet.catalog.results import FoundLabel, StoredRendition, record_labels, record_renditions
from photofleet.catalog.stages import fail_stage, finish_stage, start_stage
from photofleet.catalog.vector import DIMENSIONS
from photofleet.settings import get_settings
from tests.photofleet.catalog.factories import ESPRESSO

BROKEN = "This file is damaged."
"""The error of the photos that fail."""

UUID_OF_A_PHOTO = re.compile(r"photo_id\W+([0-9a-f-]{36})")


class Fleet:
    """Does what workers do with the messages that they get, and counts these by photo.

    Attributes:
        makes: The revision of its renditions, or the model of its labels.
        breaks_at: The photos that fail.
        messages: How many it got of which photo.
    """

    def __init__(self, catalog: Engine, stage: str, makes: str) -> None:
        self._catalog, self._stage, self._sqs = catalog, stage, boto3.client("sqs")
        self.makes = makes
        self.breaks_at: set[UUID] = set()
        self.messages: Counter[UUID] = Counter()

    def work(self) -> None:
        """Do all that is in the queue."""
        queue = getattr(get_settings(), f"{self._stage}_queue_url")
        while messages := self._sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=0).get(
            "Messages", []
        ):
            for message in messages:
                found = UUID_OF_A_PHOTO.search(message["Body"])
                assert found
                self._work_on(UUID(found[1]))
                self._sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Work all the time, for the length of a with block."""
        stop = threading.Event()

        def work() -> None:
            while not stop.wait(0.05):
                self.work()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _work_on(self, photo_id: UUID) -> None:
        self.messages[photo_id] += 1
        with Session(self._catalog) as session, session.begin():
            if not isinstance(start_stage(session, photo_id, self._stage), int):
                return
            if photo_id in self.breaks_at:
                fail_stage(session, photo_id, self._stage, BROKEN)
            elif finish_stage(session, photo_id, self._stage):
                self._record(session, photo_id)

    def _record(self, session: Session, photo_id: UUID) -> None:
        if self._stage == RESIZE:
            rendition = StoredRendition("w320", "jpeg", 320, 240, 900, f"renditions/{photo_id}/w320.jpg", "fit")
            record_renditions(session, photo_id, [rendition], preview=b"webp", colour="#000000", revision=self.makes)
        else:
            embedding = [1.0] + [0.0] * (DIMENSIONS - 1)
            record_labels(session, photo_id, self.makes, [FoundLabel(ESPRESSO, 0.8)], embedding=embedding)
