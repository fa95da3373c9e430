"""The classification models of torchvision, with weights from a file; import only where one is wanted."""

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from workers.label.preprocessing import Preprocessing

# Both normalise their input a second time when, and only when, they are built for published weights.
_ARGUMENTS: Mapping[str, Mapping[str, bool]] = {
    name: {"transform_input": True, "init_weights": False} for name in ("googlenet", "inception_v3")
}


def _import_torchvision() -> ModuleType:
    """Import torchvision, also where torch is a CPU build.

    The wheel on PyPI is made for CUDA, and its operators do not load beside a CPU build. The import then fails
    where torchvision registers more implementations of two of them ("operator torchvision::nms does not exist").
    Declaring these two is enough for the models, which use neither.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            torch.library.define(
                f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
        import torchvision
    module: ModuleType = torchvision
    return module


torchvision = _import_torchvision()
_models: Any = torchvision.models


def model_names() -> list[str]:
    """The names of all classification models."""
    names: list[str] = _models.list_models(module=_models)
    return names


def build_network(name: str, weights: Mapping[str, Tensor]) -> nn.Module:
    """The model with these weights, ready for inference. Raises RuntimeError where they do not fit."""
    network: nn.Module = _models.get_model(name, weights=None, **_ARGUMENTS.get(name, {}))
    network.load_state_dict(weights)
    return network.eval()


def preprocessing(name: str, weights_sha256: str) -> Preprocessing:
    """What the published weights of the model that have this checksum were trained on.

    Weights of one's own are taken to be trained as the newest of torchvision's.
    """
    published = _models.get_model_weights(name)
    # A published file is called name-checksum.pth, with the first eight digits of its SHA-256.
    ending = f"-{weights_sha256[:8]}.pth"
    chosen = next((entry for entry in published if entry.url.endswith(ending)), published.DEFAULT)
    preset = chosen.transforms()
    return Preprocessing(
        size=preset.crop_size[0],
        crop=preset.crop_size[0] / preset.resize_size[0],
        resampling=Image.Resampling[preset.interpolation.name],
        mean=tuple(255 * value for value in preset.mean),
        deviation=tuple(255 * value for value in preset.std),
    )
