"""Receiving files: each goes to a temporary file as it arrives, hashed and measured on the way.

Not straight to S3: what a file is, and how many pixels it holds, can stand anywhere in it, and nothing is stored
before that is known. While it arrives, memory holds no more than a chunk of it.
"""

import hashlib
import tempfile
from typing import IO, Any, BinaryIO, cast

from flask import Request, request
from werkzeug.datastructures import FileStorage

from photofleet.settings import get_settings
from webapp.uploads.refusals import NoFile, NotAForm, TooManyFiles


class IncomingFile:
    """What the form parser writes a file into.

    Attributes:
        size: The bytes that arrived.
        too_large: Whether that is more than is accepted; then nothing of it is kept.
    """

    def __init__(self, limit: int) -> None:
        self.file: BinaryIO = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 -- closed by the request
        self.size = 0
        self._limit = limit
        self._hash = hashlib.sha256()

    @property
    def too_large(self) -> bool:
        """Whether more arrived than is accepted."""
        return self.size > self._limit

    @property
    def sha256(self) -> bytes:
        """The hash of what arrived."""
        return self._hash.digest()

    def write(self, data: bytes) -> int:
        """Take the next part of the file."""
        was_too_large = self.too_large
        self.size += len(data)
        if not self.too_large:
            self._hash.update(data)
            self.file.write(data)
        elif not was_too_large:
            self.file.truncate(0)
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


class UploadRequest(Request):
    """A request whose files are received as IncomingFile."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._incoming: list[IncomingFile] = []

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        settings = get_settings()
        if len(self._incoming) == settings.upload_max_files:
            raise TooManyFiles(settings.upload_max_files)
        self._incoming.append(IncomingFile(settings.upload_max_bytes))
        return cast("IO[bytes]", self._incoming[-1])

    def close(self) -> None:
        """Remove the temporary files, also those of a form that was refused half-way."""
        super().close()
        for incoming in self._incoming:
            incoming.file.close()


def received_files() -> list[FileStorage]:
    """The files that the request under way brings in the form field `photo`: at least one.

    Raises:
        UploadRefused: if it brings none, or too many, or is no form with files. Another kind of form is not read at
            all, as its parser would hold all of it in memory.
    """
    if request.mimetype != "multipart/form-data":
        raise NotAForm
    if files := request.files.getlist("photo"):
        return files
    raise NoFile
