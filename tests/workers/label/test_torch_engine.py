import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from workers.label.engine import OutOfMemory
from workers.label.preprocessing import Preprocessing
from workers.label.torch_engine import FromPixels, TorchEngine, padded

PREPROCESSING = Preprocessing(4, 0.875, Image.Resampling.BICUBIC, (0, 100, 200), (1, 2, 4))
CPU = torch.device("cpu")


class Greedy(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")


class Flattened(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(48, 6), nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.first(images.flatten(1)))
        return logits


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), np.uint8)


def test_a_gpu_that_has_no_room_is_told_from_other_errors(pictures: np.ndarray) -> None:
    with pytest.raises(OutOfMemory, match="CUDA out of memory"):
        TorchEngine(FromPixels(Greedy(), PREPROCESSING), CPU)(pictures)


def test_the_embedding_is_what_the_last_linear_layer_sees(pictures: np.ndarray) -> None:
    network = Flattened()
    scores = TorchEngine(FromPixels(network, PREPROCESSING), CPU)(pictures)

    with torch.inference_mode():
        logits = network.last(torch.from_numpy(scores.embeddings))
    np.testing.assert_allclose(scores.logits, logits.numpy(), rtol=1e-5)


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
