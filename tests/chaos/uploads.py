"""People who upload the photos of a run through the HTTP API, and try again until each is accepted."""

import hashlib
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import urllib3

from tests.chaos.photos import ChaosPhoto

PEOPLE = 4
PATIENCE_S = 20
"""After so long without an answer, a person tries again."""

PAUSE_S = 1.0
ACCEPTED = (200, 201)


@dataclass
class Uploads:
    """What has been uploaded so far: each accepted photo and the hash of its bytes by its id, and how it went."""

    accepted: dict[str, ChaosPhoto] = field(default_factory=dict)
    sha256: dict[str, bytes] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """The status of every answer, or what came in place of one."""

    seconds: list[float] = field(default_factory=list)
    """How long each accepted one took."""

    @property
    def unanswered(self) -> int:
        """How many attempts ended without saying that the photo is stored."""
        return len(self.answers) - len(self.seconds)


class Uploader:
    """Uploads photos in order, at `pace` photos a second; what is refused for good is noted and not tried again."""

    def __init__(self, address: str, photos: Sequence[ChaosPhoto], seed: int, pace: float, give_up: threading.Event):
        self.uploads = Uploads()
        self._address = address
        self._photos = photos
        self._generator = random.Random(f"uploads {seed}")
        self._pace = pace
        self._give_up = give_up
        self._http = urllib3.PoolManager(maxsize=PEOPLE, retries=False, timeout=PATIENCE_S)

    def run(self) -> None:
        """Upload all; return when each has been accepted or refused, or nobody has the patience any more."""
        with ThreadPoolExecutor(PEOPLE, thread_name_prefix="person") as people:
            ends = []
            for photo in self._photos:
                ends.append(people.submit(self._upload, photo))
                if self._give_up.wait(self._generator.expovariate(self._pace)):
                    break
            for end in ends:
                end.result()
        self._http.clear()

    def _upload(self, photo: ChaosPhoto) -> None:
        content = photo.content
        while not self._give_up.is_set():
            started = time.monotonic()
            try:
                answer = self._http.request(
                    "POST", f"{self._address}/api/v1/photos", fields={"photo": (photo.filename, content)}
                )
            except urllib3.exceptions.HTTPError as error:
                self.uploads.answers.append(type(error).__name__)
            else:
                self.uploads.answers.append(str(answer.status))
                if answer.status in ACCEPTED:
                    self.uploads.seconds.append(time.monotonic() - started)
                    photo_id = answer.json()["id"]
                    self.uploads.sha256[photo_id] = hashlib.sha256(content).digest()
                    self.uploads.accepted[photo_id] = photo
                    return
                if answer.status < 500:
                    self.uploads.refused.append(f"{photo.filename}: {answer.status} {answer.data[:300]!r}")
                    return
            self._give_up.wait(PAUSE_S)
