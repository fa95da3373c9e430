"""The ways from a JPEG's bytes to scores: a tutorial's, the strongest peer's, and ours. All with one thread."""

import tempfile
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from photofleet.images.formats import Format
from photofleet.settings import LabelSettings
from tests.bench.common import BUILD
from tests.bench.label.measured import MAX_PIXELS, ready_model
from tests.conftest import MODELS
from workers.label.efficientnet_lite import EfficientNetLite2
from workers.label.engine import Batch
from workers.label.exporting import export
from workers.label.models import Model
from workers.label.onnx_engine import OnnxEngine
from workers.label.squares import read_squares, read_squares_of_stranger
from workers.label.torch_networks import load_network
from workers.label.weights import read_weights

PLAIN_TORCH, ONNXRUNTIME, OURS, OURS_FROM_RENDITION, OURS_IN_SANDBOX = (
    "plain torch loop",
    "onnxruntime fp32, scaled decode",
    "ours, from the original",
    "ours, from the 1280-px rendition",
    "the same, decoded in the sandbox",
)
FROM_RENDITION = (OURS_FROM_RENDITION, OURS_IN_SANDBOX)

Logits = NDArray[np.float32]


class Contestants(NamedTuple):
    """All ways; `photos` from a file's bytes to logits, `networks` from the pixels of n pictures to theirs."""

    model: Model
    photos: Mapping[str, Callable[[bytes], Logits]]
    networks: Mapping[str, Callable[[Batch], Logits]]


def contestants() -> Contestants:
    """Everyone, ready to run."""
    settings = LabelSettings(label_device="cpu", label_cache=MODELS)
    model = ready_model(settings)
    weights = read_weights(settings)
    exported = BUILD / "label-peer.onnx"
    network = load_network(settings, weights)
    export(network.module, exported)
    session = OnnxEngine(exported.read_bytes())
    plain = EfficientNetLite2().eval()
    tensors = torch.load(weights.path, weights_only=True)
    plain.load_state_dict(dict(zip(plain.state_dict(), tensors.values(), strict=True)))
    size, short_side = model.preprocessing.size, model.preprocessing.short_side

    def plain_pixels(image: Image.Image) -> torch.Tensor:
        scale = short_side / min(image.size)
        resized = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
        left, top = (resized.width - size) // 2, (resized.height - size) // 2
        cropped = np.asarray(resized.crop((left, top, left + size, top + size)), np.float32)
        return torch.from_numpy((cropped - 127) / 128).permute(2, 0, 1)

    def plain_torch(photo: bytes) -> Logits:
        image = Image.open(BytesIO(photo)).convert("RGB")
        with torch.no_grad():
            logits: Logits = plain(plain_pixels(image)[None]).numpy()
        return logits

    def onnxruntime(photo: bytes) -> Logits:
        image = Image.open(BytesIO(photo))
        image.draft("RGB", (short_side, short_side))
        return session(model.preprocessing.pixels(image.convert("RGB"))[None]).logits

    def ours(photo: bytes) -> Logits:
        pictures = read_squares(photo, Format.JPEG, model.preprocessing, max_pixels=MAX_PIXELS)
        return model.classify(pictures).logits

    def ours_in_sandbox(photo: bytes) -> Logits:
        with tempfile.TemporaryFile() as file:
            file.write(photo)
            pictures = read_squares_of_stranger(file, Format.JPEG, model.preprocessing, max_pixels=MAX_PIXELS)
        return model.classify(pictures).logits

    def torch_network(batch: Batch) -> Logits:
        with torch.no_grad():
            images = (torch.from_numpy(batch).permute(0, 3, 1, 2).float() - 127) / 128
            logits: Logits = plain(images.contiguous()).numpy()
        return logits

    return Contestants(
        model,
        {
            PLAIN_TORCH: plain_torch,
            ONNXRUNTIME: onnxruntime,
            OURS: ours,
            OURS_FROM_RENDITION: ours,
            OURS_IN_SANDBOX: ours_in_sandbox,
        },
        {
            "torch fp32": torch_network,
            "onnxruntime fp32": lambda batch: session(batch).logits,
            f"ours ({model.engine_name})": lambda batch: model.classify(batch).logits,
        },
    )
