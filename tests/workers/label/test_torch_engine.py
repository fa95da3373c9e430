from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from photofleet.settings import LabelSettings
from workers.label import torch_engine
from workers.label.engine import OutOfMemory
from workers.label.exporting import export
from workers.label.likeness import Likeness
from workers.label.models import ModelError, load_model
from workers.label.onnx_engine import OnnxEngine
from workers.label.preprocessing import Preprocessing
from workers.label.torch_engine import FromPixels, TorchEngine, cuda_engine, out_of_memory, padded

PREPROCESSING = Preprocessing(4, 0.875, Image.Resampling.BICUBIC, (0, 100, 200), (1, 2, 4))
CPU = torch.device("cpu")


class Greedy(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")


class Summed(nn.Module):
    """One whose numbers outgrow 16 bits where most of a picture is brighter than its `mean`."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).sum(dim=1, keepdim=True) * torch.tensor([40.0, -40.0], dtype=images.dtype)


class Flattened(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(48, 6), nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.first(images.flatten(1)))
        return logits


class ManyClasses(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(48, 300)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(images.flatten(1))
        return logits


class LinearInside(nn.Module):
    """One that ends in a convolution, with a linear layer of many outputs before it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.last = nn.Linear(48, 300), nn.Conv2d(300, 300, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.linear(images.flatten(1))[:, :, None, None]).flatten(1)[:, :3]
        return logits


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), np.uint8)


def test_a_gpu_that_has_no_room_is_told_from_other_errors(pictures: np.ndarray) -> None:
    with pytest.raises(OutOfMemory, match="CUDA out of memory"):
        TorchEngine(FromPixels(Greedy(), PREPROCESSING), CPU)(pictures)


@pytest.mark.parametrize(
    "words",
    [
        "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 14.56 GiB",
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call",
        "CUDA driver error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "The following operation failed in the TorchScript interpreter.\nTraceback of TorchScript:\n"
        "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB",
    ],
)
def test_full_memory_is_known_by_what_torch_and_the_libraries_below_it_say(words: str) -> None:
    full = out_of_memory(RuntimeError(words))

    assert full
    assert str(full) in words.splitlines()


def test_full_memory_is_known_where_it_broke_a_recording_off() -> None:
    error = RuntimeError("CUDA error: operation failed due to a previous error during capture")
    error.__context__ = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    assert str(out_of_memory(error)) == "CUDA out of memory. Tried to allocate 20.00 MiB"


@pytest.mark.parametrize(
    "words",
    [
        "CUDA error: an illegal memory access was encountered",
        "CUDA error: device-side assert triggered",
        "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx(...)`",
        "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED",
        "mat1 and mat2 shapes cannot be multiplied (2x48 and 12x6)",
    ],
)
def test_a_smaller_batch_is_no_help_against_other_errors(words: str) -> None:
    assert out_of_memory(RuntimeError(words)) is None


def test_a_gpu_that_is_full_at_the_start_is_said_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OutOfMemory("CUDA out of memory.")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch_engine, "cuda_engine", full)
    settings = LabelSettings(label_device="cuda", label_cache=tmp_path)

    with pytest.raises(ModelError, match=r"PHOTOFLEET_LABEL_DEVICE: the GPU has no room for the network: CUDA out of"):
        load_model(settings)


def test_a_network_whose_numbers_outgrow_16_bits_on_pictures_gets_32(
    pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch_engine, "CudaEngine", TorchEngine)
    network = FromPixels(Summed(), PREPROCESSING)
    grey, white = np.full_like(pictures, 100), np.full_like(pictures, 255)

    assert cuda_engine(network, CPU, grey) is not None
    assert not caplog.messages

    engine = cuda_engine(network, CPU, white)

    assert np.isfinite(engine(white).logits).all()
    assert "it works in 32" in caplog.text


def test_the_embedding_is_what_the_last_linear_layer_sees_if_it_has_few_outputs(pictures: np.ndarray) -> None:
    network = Flattened()
    scores = TorchEngine(FromPixels(network, PREPROCESSING), CPU)(pictures)

    with torch.inference_mode():
        logits = network.last(torch.from_numpy(scores.embeddings))
    np.testing.assert_allclose(scores.logits, logits.numpy(), rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_embedding_is_the_likeness_of_a_last_layer_with_many_outputs(
    pictures: np.ndarray, dtype: torch.dtype, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = FromPixels(ManyClasses(), PREPROCESSING)
    images = (torch.from_numpy(pictures).permute(0, 3, 1, 2) - network.mean) / network.deviation
    seen = images.flatten(1)
    with torch.inference_mode():
        expected = Likeness(network.network.last)(seen, network.network.last(seen))

    scores = TorchEngine(deepcopy(network).computing_in(dtype), CPU)(pictures)

    tolerance = 1e-4 if dtype is torch.float32 else 0.2
    np.testing.assert_allclose(scores.embeddings, expected, atol=tolerance)
    export(network, tmp_path / "network.onnx")
    exported = OnnxEngine((tmp_path / "network.onnx").read_bytes())(pictures)
    np.testing.assert_allclose(exported.embeddings, expected, atol=1e-3)


def test_a_linear_layer_that_is_not_the_last_is_no_measure_of_likeness(pictures: np.ndarray) -> None:
    scores = TorchEngine(FromPixels(LinearInside(), PREPROCESSING), CPU)(pictures)

    assert scores.embeddings.shape == (5, 48)


def test_scores_have_32_bits_whatever_the_network_computes_in(pictures: np.ndarray) -> None:
    torch.manual_seed(0)
    network = FromPixels(Flattened(), PREPROCESSING)
    expected = TorchEngine(network, CPU)(pictures)

    scores = TorchEngine(network.computing_in(torch.bfloat16), CPU)(pictures)

    assert {scores.logits.dtype, scores.embeddings.dtype} == {np.dtype(np.float32)}
    np.testing.assert_allclose(scores.embeddings, expected.embeddings, rtol=0.05, atol=0.5)


@pytest.mark.parametrize(("count", "size"), [(1, 1), (2, 2), (3, 4), (5, 8), (32, 32), (33, 64)])
def test_a_batch_on_a_gpu_is_filled_up_to_a_power_of_two(count: int, size: int) -> None:
    assert padded(count) == size
