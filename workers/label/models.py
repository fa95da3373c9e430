"""The one interface to what says what photos show, and the way to it from the settings.

torch is imported only where a network has to run with it: what `photofleet models prepare` made does without.
"""

import logging
from dataclasses import dataclass

from photofleet.gpu import may_use_gpu
from photofleet.settings import LabelSettings, variable
from workers.label import own, prepared
from workers.label.engine import Batch, Engine, OutOfMemory, Scores
from workers.label.imagenet import class_ids
from workers.label.preprocessing import Preprocessing
from workers.label.weights import ModelError, Weights, read_weights

__all__ = ["Model", "ModelError", "OutOfMemory", "Scores", "load_model"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """A network that says what pictures show, and what it wants them to be like.

    Attributes:
        name: What the settings call it.
        version: The first 12 hexadecimal digits of the SHA-256 of its weights.
        preprocessing: How it wants its pictures.
        class_ids: The taxonomy's id of each output, or None for one that is no label.
        engine_name: What it runs with, as `photofleet models check` shows it.
        engine: What it runs with.
    """

    name: str
    version: str
    preprocessing: Preprocessing
    class_ids: tuple[str | None, ...]
    engine_name: str
    engine: Engine

    @property
    def source(self) -> str:
        """What its labels say that they are from."""
        return f"{self.name}@{self.version}"

    def classify(self, batch: Batch) -> Scores:
        """Score one or more pictures, of shape (n, size, size, 3), RGB. Not for several threads at once.

        Raises:
            OutOfMemory: the GPU has no room for so many.
        """
        return self.engine(batch)


def load_model(settings: LabelSettings) -> Model:
    """Load the model of the settings: once per process, and after the fork, which torch's threads would not survive.

    On the CPU, it runs with the fastest of what `photofleet models prepare` chose that this processor can do, and with
    torch, if nobody has prepared it.

    Raises:
        ModelError: the settings name no model that can be had.
    """
    weights = read_weights(settings)
    model = _on_gpu(settings, weights) if wants_gpu(settings) else _on_cpu(settings, weights)
    logger.info("Labelling with %s by %s.", model.source, model.engine_name)
    return model


def wants_gpu(settings: LabelSettings) -> bool:
    """Whether the settings are for a GPU, which "auto" is where there is one. Raises ModelError."""
    if not may_use_gpu(settings):
        return False  # without torch, which takes seconds to ask
    import torch

    if settings.label_device == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"{variable('label_device')}=cuda cannot be used: torch finds no GPU here")
    return torch.cuda.is_available()


def _on_cpu(settings: LabelSettings, weights: Weights) -> Model:
    folder = prepared.folder_of(settings.label_cache.expanduser(), settings.label_model, weights)
    card = prepared.read_card(folder)
    if card is None:
        logger.info("No engine was chosen for this network here; `photofleet models prepare` makes it faster.")
        return with_torch(settings, weights)
    name, network = next(prepared.usable(folder, card), (prepared.TORCH, None))
    if network is None:
        return with_torch(settings, weights, name)
    from workers.label.onnx_engine import OnnxEngine

    ids = own.read_class_ids(weights.path) if weights.is_program else class_ids()
    return Model(settings.label_model, weights.version, card.preprocessing, ids, name, OnnxEngine(network))


def with_torch(settings: LabelSettings, weights: Weights, engine_name: str = prepared.TORCH) -> Model:
    """The model on the CPU with torch, whatever was prepared: that which others are compared with."""
    import torch

    from workers.label.torch_engine import TorchEngine
    from workers.label.torch_networks import load_network

    module, preprocessing, ids = load_network(settings, weights)
    if engine_name == prepared.TORCH_BF16:
        module.computing_in(torch.bfloat16)
    engine = TorchEngine(module, torch.device("cpu"))
    return Model(settings.label_model, weights.version, preprocessing, ids, engine_name, engine)


def _on_gpu(settings: LabelSettings, weights: Weights) -> Model:
    import torch

    from workers.label.sampling import CALIBRATION, COMPARISON, parts
    from workers.label.torch_engine import TorchEngine, cuda_engine
    from workers.label.torch_networks import load_network

    device = torch.device("cuda")
    try:
        module, preprocessing, ids = load_network(settings, weights)
        engine: Engine
        if weights.is_program:  # one's own may do what cannot be recorded, or not be right in 16 bits
            engine = TorchEngine(module, device)
        else:
            engine = cuda_engine(module, device, parts(preprocessing, CALIBRATION + COMPARISON))
    except OutOfMemory as error:
        raise ModelError(f"{variable('label_device')}: the GPU has no room for the network: {error}") from error
    name = f"torch on {torch.cuda.get_device_name(device)}"
    return Model(settings.label_model, weights.version, preprocessing, ids, name, engine)
