"""Running a network with torch, on the CPU or a GPU."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from photofleet.catalog.vector import DIMENSIONS
from workers.label.comparing import good_enough, in_batches
from workers.label.engine import Batch, OutOfMemory, Scores, threads
from workers.label.likeness import Likeness
from workers.label.preprocessing import Preprocessing

logger = logging.getLogger(__name__)

_FULL = re.compile(r".*(out of memory|_ALLOC(ATION)?_FAILED).*")


class FromPixels(nn.Module):
    """A network from the pixels of pictures to their logits and embeddings, both in 32 bits.

    The embedding is that of `Likeness`, or what the network's last linear layer looks at where that has no output for
    each of many classes. Of a network without one, it is the logits; a network may also return a pair, of logits and
    embedding.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.size = preprocessing.size
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(preprocessing.deviation).view(1, 3, 1, 1))
        self.dtype = torch.float32
        self._seen: list[Tensor] = []
        linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
        self.likeness: Likeness | None = None
        if linear:
            linear[-1].register_forward_pre_hook(self._see)
            if linear[-1].out_features >= DIMENSIONS:
                self.likeness = Likeness(linear[-1])

    def _see(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._seen = [inputs[0]]

    def computing_in(self, dtype: torch.dtype) -> "FromPixels":
        """Convert the weights; pixels are normalised in 32 bits all the same."""
        self.network.to(dtype)
        self.dtype = dtype
        return self

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Map (n, size, size, 3), from 0 to 255, to (n, classes) and (n, d)."""
        images = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.deviation
        found = self.network(images.to(self.dtype))
        logits, *embedding = (found,) if isinstance(found, Tensor) else found
        seen, self._seen = self._seen, []
        if self.likeness and seen and not embedding and self.likeness.fits(seen[0], logits):
            return logits.float(), self.likeness(seen[0].float(), logits.float())
        return logits.float(), (*embedding, *seen, logits)[0].flatten(1).float()


def out_of_memory(error: RuntimeError) -> OutOfMemory | None:
    """What to raise in an error's place if the memory of a GPU is full, or the page-locked one that it copies from.

    torch has an error of its own only for memory that it shares out itself. CUDA, cuBLAS and cuDNN take some, too, and
    say so in words, and so does TorchScript. Where a recording is broken off, the last error says no more than that,
    and the one before it why.
    """
    link: BaseException | None = error
    while link:
        if isinstance(link, RuntimeError) and (found := _FULL.search(str(link))):
            return OutOfMemory(found[0].strip())
        link = link.__cause__ or link.__context__
    return None


@contextmanager
def _memory_may_be_full() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if full := out_of_memory(error):
            raise full from error
        raise


@_memory_may_be_full()
def _on(network: FromPixels, device: torch.device) -> FromPixels:
    """Move a network, with its weights in the layout that pixels have, which is also the faster one."""
    network.requires_grad_(False).to(device)
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


class TorchEngine:
    """Runs a network as it comes. Raises OutOfMemory when it is made, too."""

    def __init__(self, network: FromPixels, device: torch.device) -> None:
        torch.set_num_threads(threads())
        self._network = _on(network, device)
        self._device = device

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> Scores:
        """Score one or more pictures. Raises OutOfMemory."""
        with _memory_may_be_full():
            logits, embeddings = self._network(
                torch.from_numpy(np.require(batch, requirements=["C", "W"])).to(self._device)
            )
            return Scores(logits.cpu().numpy(), embeddings.cpu().numpy())


class _Recording(NamedTuple):
    """A batch size's work on the GPU, and the places where it finds pixels and leaves scores."""

    graph: torch.cuda.CUDAGraph
    pixels: Tensor
    scores: tuple[Tensor, Tensor]
    staged_pixels: Tensor
    staged_scores: tuple[Tensor, Tensor]


class CudaEngine:
    """Runs a network on a GPU, its kernels recorded once for each batch size and then started all at once.

    Launching them one by one takes longer than small batches do. A batch is filled up to the next power of two, so that
    there are few sizes. Pixels and scores pass through page-locked memory, which the GPU copies from by itself.

    Raises OutOfMemory when it is made, too.
    """

    def __init__(self, network: FromPixels, device: torch.device) -> None:
        torch.backends.cudnn.benchmark = True  # few sizes: worth choosing the best algorithm for each
        self._network = _on(network, device)
        self._device = device
        self._recordings: dict[int, _Recording] = {}

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> Scores:
        """Score one or more pictures. Raises OutOfMemory."""
        try:
            with _memory_may_be_full():
                return self._replay(batch)
        except OutOfMemory:
            self._recordings.clear()
            torch.cuda.empty_cache()
            torch.accelerator.empty_host_cache()
            raise

    def _replay(self, batch: Batch) -> Scores:
        count = len(batch)
        size = padded(count)
        if size not in self._recordings:
            self._recordings[size] = self._record(size)
        recording = self._recordings[size]
        recording.staged_pixels.numpy()[:count] = batch
        recording.pixels.copy_(recording.staged_pixels, non_blocking=True)
        recording.graph.replay()
        for staged, scores in zip(recording.staged_scores, recording.scores, strict=True):
            staged.copy_(scores, non_blocking=True)
        torch.cuda.synchronize(self._device)
        logits, embeddings = (staged.numpy()[:count].copy() for staged in recording.staged_scores)
        return Scores(logits, embeddings)

    def _record(self, size: int) -> _Recording:
        side = self._network.size
        staged = torch.zeros((size, side, side, 3), dtype=torch.uint8, pin_memory=True)
        pixels = staged.to(self._device)
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):  # once unrecorded, as what is made at first use cannot be recorded
            for _ in range(3):
                self._network(pixels)
        torch.cuda.current_stream(self._device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Other threads may go on using the GPU meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            scores = self._network(pixels)
        logits, embeddings = (torch.empty(score.shape, dtype=score.dtype, pin_memory=True) for score in scores)
        return _Recording(graph, pixels, scores, staged, (logits, embeddings))


def padded(count: int) -> int:
    """The next power of two."""
    return 1 << (count - 1).bit_length()


def cuda_engine(network: FromPixels, device: torch.device, pictures: Batch) -> CudaEngine:
    """The network on a GPU in 16 bits, which is twice as fast, or in 32 if it sees other things in pictures with 16.

    Some networks' numbers outgrow 16 bits, and more so on photographs than on noise. Raises OutOfMemory.
    """
    halved = CudaEngine(deepcopy(network).computing_in(torch.float16), device)
    plain = TorchEngine(network, device)
    if good_enough(in_batches(halved, pictures), in_batches(plain, pictures)):
        return halved
    logger.warning("In 16 bits, the network sees other things in pictures: it works in 32, at half the speed.")
    return CudaEngine(network, device)
