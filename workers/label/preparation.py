"""Finding the engine that runs a network fastest on this processor, and is as good as torch in 32 bits."""

import logging
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from photofleet.settings import LabelSettings
from workers.label import prepared
from workers.label.comparing import compare, good_enough, in_batches, time_engines
from workers.label.engine import Batch, Engine
from workers.label.exporting import export, quantise
from workers.label.onnx_engine import OnnxEngine
from workers.label.prepared import Card
from workers.label.sampling import parts
from workers.label.torch_engine import FromPixels, TorchEngine
from workers.label.torch_networks import load_network
from workers.label.weights import read_weights

_CALIBRATION, _COMPARISON = 0, 1  # seeds

logger = logging.getLogger(__name__)


def prepare(settings: LabelSettings) -> Card:
    """Choose the fastest engine that is as good as torch in 32 bits, and keep what it needs for `load_model`.

    Raises:
        ModelError: the settings name no model that can be had.
        OSError: the folder cannot be written.
    """
    weights = read_weights(settings)
    network = load_network(settings, weights)
    pictures = parts(network.preprocessing, _COMPARISON)
    with TemporaryDirectory() as name:
        engines, networks = _engines(network.module, parts(network.preprocessing, _CALIBRATION), Path(name))
        scores = {engine: in_batches(engines[engine], pictures) for engine in engines}
        good = [engine for engine in engines if good_enough(scores[engine], scores[prepared.TORCH])]
        milliseconds = time_engines(engines, pictures[:1])
        fastest = min(good, key=milliseconds.__getitem__)
        agreement, difference = compare(scores[fastest], scores[prepared.TORCH])
        needed = {prepared.ONNX_INT8: {"int8"}, prepared.TORCH_BF16: {"bf16"}}.get(fastest, set())
        needs = tuple(sorted(needed & prepared.features()))
        card = Card(fastest, needs, network.preprocessing, agreement, difference, milliseconds)
        folder = prepared.folder_of(settings.label_cache.expanduser(), settings.label_model, weights)
        prepared.write(folder, card, networks.get(fastest))
    return card


def _engines(network: FromPixels, calibration: Batch, folder: Path) -> tuple[dict[str, Engine], dict[str, Path]]:
    """All engines that can run a network here, and the files of those that run one from a file."""
    cpu = torch.device("cpu")
    exported, quantised = folder / "exported.onnx", folder / "quantised.onnx"
    networks = {}
    try:
        export(network, exported)
        networks[prepared.ONNX] = exported
        quantise(exported, calibration, quantised)
        networks[prepared.ONNX_INT8] = quantised
    except Exception:  # what a network may do has no end, nor have the ways in which these tools fail at it
        logger.warning("ONNX Runtime cannot run all of this network; torch does.", exc_info=True)
    engines: dict[str, Engine] = {name: OnnxEngine(path) for name, path in networks.items()}
    if "bf16" in prepared.features():
        halved = deepcopy(network).computing_in(torch.bfloat16)
        engines[prepared.TORCH_BF16] = TorchEngine(halved, cpu)
    engines[prepared.TORCH] = TorchEngine(network, cpu)
    return engines, networks
