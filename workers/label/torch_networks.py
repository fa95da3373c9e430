"""The network of the settings in torch: EfficientNet-Lite2, one of torchvision's, or one's own."""

import warnings
from collections.abc import Mapping
from io import BytesIO
from typing import NamedTuple

import torch
from torch import Tensor, nn

from photofleet.settings import DEFAULT_MODEL, LabelSettings, variable
from workers.label import efficientnet_lite, own
from workers.label.imagenet import class_ids
from workers.label.preprocessing import Preprocessing
from workers.label.torch_engine import FromPixels
from workers.label.weights import ModelError, Weights


class Network(NamedTuple):
    """A network with what it wants and what its outputs mean."""

    module: FromPixels
    preprocessing: Preprocessing
    class_ids: tuple[str | None, ...]


def load_network(settings: LabelSettings, weights: Weights) -> Network:
    """Build the network with its weights, on the CPU.

    Raises:
        ModelError: there is no such network, or the weights are not for it.
    """
    if weights.is_program:
        return _own(weights)
    name = settings.label_model
    if name != DEFAULT_MODEL:
        _check_name(name)
    tensors = _read_tensors(weights)
    try:
        module, preprocessing = _build(name, tensors, weights.sha256)
    except (ValueError, RuntimeError) as error:
        raise ModelError(
            f"{variable('label_weights')}: {weights.path} does not fit {variable('label_model')}={name}: {error}"
        ) from error
    return Network(FromPixels(module, preprocessing), preprocessing, class_ids())


def _build(name: str, tensors: Mapping[str, Tensor], sha256: str) -> tuple[nn.Module, Preprocessing]:
    if name == DEFAULT_MODEL:
        return efficientnet_lite.build_network(tensors), efficientnet_lite.PREPROCESSING
    from workers.label import torchvision_models

    return torchvision_models.build_network(name, tensors), torchvision_models.preprocessing(name, sha256)


def _check_name(name: str) -> None:
    from workers.label import torchvision_models  # takes seconds and 80 MB, which the default does without

    if name not in torchvision_models.model_names():
        raise ModelError(
            f"{variable('label_model')}={name} is neither {DEFAULT_MODEL} nor a classification model of torchvision, "
            f"which are {', '.join(torchvision_models.model_names())}; the file of a network of your own ends with "
            ".pt or .pt2"
        )


def _read_tensors(weights: Weights) -> Mapping[str, Tensor]:
    problem = f"{variable('label_weights')}: {weights.path}"
    try:
        tensors = torch.load(BytesIO(weights.content), map_location="cpu", weights_only=True)  # others could run code
    except MemoryError:
        raise
    except Exception as error:  # on bytes that torch did not write, its unpickler fails in any way
        raise ModelError(f"{problem} is no state dict that torch saved") from error
    if not isinstance(tensors, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in tensors.items()
    ):
        raise ModelError(f"{problem} holds something else than a state dict")
    return tensors


def _own(weights: Weights) -> Network:
    preprocessing, ids = own.read_preprocessing(weights.path), own.read_class_ids(weights.path)
    module = FromPixels(_load_program(weights), preprocessing)
    _try(module, len(ids), weights)
    return Network(module, preprocessing, ids)


def _load_program(weights: Weights) -> nn.Module:
    """Load a file that is code: its SHA-256 was compared with that of the settings."""
    scripted = weights.path.suffix == ".pt"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript is old, but there are many such files
            file = BytesIO(weights.content)
            if scripted:
                return torch.jit.load(file, "cpu").eval()  # type: ignore[no-untyped-call, no-any-return]
            return _Exported(torch.export.load(file).module())
    except MemoryError:
        raise
    except Exception as error:  # on other bytes, they fail in any way
        kind = "TorchScript file; a state dict must end with .pth" if scripted else "file that torch.export.save wrote"
        raise ModelError(f"{variable('label_weights')}: {weights.path} is no {kind}") from error


class _Exported(nn.Module):
    """An ExportedProgram's network. It refuses to be told that it is not trained, which is what exporters tell all."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program

    def train(self, mode: bool = True) -> "_Exported":
        """Leave it as it was exported."""
        return self

    def forward(self, images: Tensor) -> object:
        """Do what it does."""
        return self.program(images)


def _try(module: FromPixels, outputs: int, weights: Weights) -> None:
    """Refuse a network that would fail at the first photo."""
    problem = f"{variable('label_weights')}: {weights.path}"
    try:
        with torch.inference_mode():
            logits, _ = module(torch.zeros((2, module.size, module.size, 3), dtype=torch.uint8))
    except Exception as error:
        raise ModelError(
            f"{problem} does not take two pictures of {module.size} pixels, as (2, 3, {module.size}, {module.size}) "
            f"in 32 bits; export it with a dynamic first dimension: {error}"
        ) from error
    if logits.shape != (2, outputs):
        raise ModelError(
            f"{problem} has {logits.shape[-1]} outputs, where {weights.path.with_suffix('.txt')} has {outputs} lines"
        )
