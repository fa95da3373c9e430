"""The workers' transfers: originals in several parts at once, renditions while their caller makes the next.

Threads wait for S3; only the caller's own thread touches what the caller owns. Whatever is raised in it, by a time
limit or as the process is told to end, leaves at once or after seconds: no thread is waited for without limit. Thus not
boto3's own transfers: they swallow the SystemExit of a process that is told to end, and return half a file.
"""

import hashlib
import math
from collections import deque
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from http import HTTPStatus
from types import TracebackType
from typing import IO, Any, Self
from uuid import UUID

from botocore.exceptions import ClientError

from photofleet.settings import get_settings
from photofleet.storage import original_key, prepare, put_rendition, s3

CONNECTIONS = 4
"""Parts of an original, or renditions, that are under way at once; this bounds the memory that they take, too."""

PART_BYTES = 3 * 2**20
"""An original that is larger is fetched in parts up to this size.

At 70 MB/s a connection and 25 ms to the first byte, about what S3 gives, 4 MB arrive in 90 ms instead of 108, 6 MB in
134 instead of 161 and 12 MB in 214 instead of 270, though the link and S3 were on the same two cores; 2 MB arrive no
sooner. A request more takes some 5 ms of CPU time (tests/bench/resize_task.py).
"""

GRACE_S = 10
"""How long uploads that have become pointless are waited for."""


class DamagedTransferError(Exception):
    """What arrived from S3 is not what was stored there."""


def get_original(photo_id: UUID, into: IO[bytes], *, size: int, sha256: bytes) -> None:
    """Write an uploaded file into `into`, and stand at its beginning.

    That its parts are of one object needs no promise of S3's (`If-Match`), for which all but the first would have to
    wait: the hash of the whole proves it, and that it is what was uploaded.

    Args:
        photo_id: The photo.
        into: Where to.
        size: What the file has, in bytes.
        sha256: The hash of it.

    Raises:
        DamagedTransferError: What arrived has another hash: it must not be taken for what was uploaded.
        STORAGE_ERRORS: what S3 answers instead.
    """
    prepare()
    key, arrived = original_key(photo_id), hashlib.sha256()
    with closing(_parts(key, size)) as parts:
        for part in parts:
            into.write(part)
            arrived.update(part)
    if arrived.digest() != sha256:
        raise DamagedTransferError(f"{key} arrived damaged, with {into.tell()} bytes")
    into.seek(0)


def _parts(key: str, size: int) -> Generator[bytes, None, None]:
    """Yield an original's parts in order while later ones arrive."""
    count = math.ceil(size / PART_BYTES)
    if count <= 1:
        yield _get(key)
        return
    step = math.ceil(size / count)
    threads = ThreadPoolExecutor(min(count, CONNECTIONS), "download")
    under_way: deque[Future[bytes]] = deque()
    try:
        for first in range(0, size, step):
            if len(under_way) == CONNECTIONS:
                yield under_way.popleft().result()
            under_way.append(threads.submit(_get, key, Range=f"bytes={first}-{min(first + step, size) - 1}"))
        while under_way:
            yield under_way.popleft().result()
    finally:
        # What is under way still arrives, or runs into its own time limit, and is dropped.
        threads.shutdown(wait=False, cancel_futures=True)


def _get(key: str, **options: str) -> bytes:
    try:
        answer: dict[str, Any] = s3().get_object(Bucket=get_settings().originals_bucket, Key=key, **options)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise DamagedTransferError(f"{key} is shorter than what was uploaded") from error
        raise
    with closing(answer["Body"]) as body:
        content: bytes = body.read()
        return content


class RenditionUploads:
    """Renditions on their way into the bucket while their caller makes the next.

    At the end of a `with` block all of them are stored. The first that fails is what the block, or the next `put`,
    raises; then the rest is given up. Where the block fails, nothing is begun any more.
    """

    def __enter__(self) -> Self:
        prepare()
        self._threads = ThreadPoolExecutor(CONNECTIONS, "upload")
        self._under_way: set[Future[None]] = set()
        return self

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Begin to store a rendition, as soon as not too many are under way."""
        self._wait_until(CONNECTIONS - 1)
        self._under_way.add(self._threads.submit(put_rendition, key, data, content_type))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if error is None:
                self._wait_until(0)
        except Exception as failure:
            error = failure
            raise
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, Exception):  # else the process is told to end
                # Else one could still be stored when the photo has been given up, and cleaned up after.
                wait([upload for upload in self._under_way if not upload.cancelled()], GRACE_S)

    def _wait_until(self, most: int) -> None:
        while len(self._under_way) > most:
            done, self._under_way = wait(self._under_way, return_when=FIRST_COMPLETED)
            for upload in done:
                upload.result()
