"""Finding the engines that run a network fast on this processor, and are as good as torch in 32 bits."""

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from photofleet.settings import LabelSettings, variable
from workers.label import prepared
from workers.label.comparing import compare, good_enough, in_batches, time_engines
from workers.label.engine import Batch, Engine
from workers.label.exporting import export, quantise
from workers.label.onnx_engine import OnnxEngine
from workers.label.prepared import Card, Choice
from workers.label.sampling import CALIBRATION, COMPARISON, parts
from workers.label.torch_engine import FromPixels, TorchEngine
from workers.label.torch_networks import load_network
from workers.label.weights import ModelError, read_weights

Logits = NDArray[np.float32]

_NEEDS = {prepared.ONNX_INT8: {"int8"}, prepared.TORCH_BF16: {"bf16"}}

logger = logging.getLogger(__name__)


class _Candidate(NamedTuple):
    """An engine that has scored the pictures, and the bytes of the file that it runs, if it runs one."""

    engine: Engine
    file: bytes | None
    logits: Logits


def prepare(settings: LabelSettings) -> Card:
    """Choose the engines that are as good as torch in 32 bits, and keep what they need for `load_model`.

    Raises:
        ModelError: the settings name no model that can be had, or one whose numbers are none.
        OSError: the folder cannot be written.
    """
    weights = read_weights(settings)
    network = load_network(settings, weights)
    pictures = parts(network.preprocessing, COMPARISON)
    candidates = _candidates(network.module, parts(network.preprocessing, CALIBRATION), pictures)
    expected = candidates[prepared.TORCH].logits
    if not np.isfinite(expected).all():
        problem = "scores photographs with numbers that are not finite; train it again, or export it anew"
        raise ModelError(f"{variable('label_weights')}: {weights.path} {problem}")
    milliseconds = time_engines({name: candidate.engine for name, candidate in candidates.items()}, pictures[:1])
    chosen = choose({name: candidate.logits for name, candidate in candidates.items()}, expected, milliseconds)
    files = {name: file for name in chosen if (file := candidates[name].file)}
    choices = tuple(
        Choice(
            name,
            sorted(_NEEDS.get(name, set()) & prepared.features()),
            hashlib.sha256(files[name]).hexdigest() if name in files else None,
            *compare(candidates[name].logits, expected),
        )
        for name in chosen
    )
    card = Card(network.preprocessing, choices, milliseconds)
    folder = prepared.folder_of(settings.label_cache.expanduser(), settings.label_model, weights)
    prepared.write(folder, card, files)
    return card


def choose(logits: Mapping[str, Logits], expected: Logits, milliseconds: Mapping[str, float]) -> Sequence[str]:
    """The names of the engines that are good enough, the fastest first.

    Args:
        logits: What each engine says of some pictures.
        expected: What torch in 32 bits says of them, which all must be finite.
        milliseconds: What each engine takes per picture.
    """
    return sorted((name for name in logits if good_enough(logits[name], expected)), key=milliseconds.__getitem__)


def _candidates(network: FromPixels, calibration: Batch, pictures: Batch) -> dict[str, _Candidate]:
    """All engines that can run a network here. torch in 32 bits is always one."""
    cpu = torch.device("cpu")
    found = {}
    with TemporaryDirectory() as folder:
        exported, quantised = Path(folder, "exported.onnx"), Path(folder, "quantised.onnx")
        with _passed_over_if_it_fails(prepared.ONNX):
            export(network, exported)
            found[prepared.ONNX] = _from_file(exported, pictures)
        if prepared.ONNX in found:
            with _passed_over_if_it_fails(prepared.ONNX_INT8):
                quantise(exported, calibration, quantised)
                found[prepared.ONNX_INT8] = _from_file(quantised, pictures)
    if "bf16" in prepared.features():
        with _passed_over_if_it_fails(prepared.TORCH_BF16):
            halved = TorchEngine(deepcopy(network).computing_in(torch.bfloat16), cpu)
            found[prepared.TORCH_BF16] = _Candidate(halved, None, in_batches(halved, pictures))
    plain = TorchEngine(network, cpu)
    found[prepared.TORCH] = _Candidate(plain, None, in_batches(plain, pictures))
    return found


def _from_file(path: Path, pictures: Batch) -> _Candidate:
    file = path.read_bytes()
    engine = OnnxEngine(file)
    return _Candidate(engine, file, in_batches(engine, pictures))


@contextmanager
def _passed_over_if_it_fails(engine: str) -> Iterator[None]:
    try:
        yield
    except Exception:  # what a network may do has no end, nor have the ways in which these tools fail at it
        logger.warning("%s cannot run this network, and is passed over.", engine, exc_info=True)
