"""What a network does on a GPU at best: recorded, on pixels that are there already, its scores staying there."""

from collections.abc import Mapping, Sequence

import torch

from photofleet.settings import LabelSettings
from workers.label.torch_engine import FromPixels
from workers.label.torch_networks import load_network
from workers.label.weights import read_weights

BATCHES = (1, 8, 32, 128, 256)

_REPLAYS = 50


def replays_per_second(settings: LabelSettings, batches: Sequence[int] = BATCHES) -> Mapping[int, float]:
    """Pictures a second of the network in 16 bits, by the size of its batches: no way to the GPU, none back."""
    network = load_network(settings, read_weights(settings)).module.computing_in(torch.float16)
    network.requires_grad_(False).to("cuda", memory_format=torch.channels_last)
    torch.backends.cudnn.benchmark = True
    return {size: _rate(network, size) for size in batches}


@torch.inference_mode()
def _rate(network: FromPixels, size: int) -> float:
    pixels = torch.randint(0, 256, (size, network.size, network.size, 3), dtype=torch.uint8, device="cuda")
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # what is made at first use cannot be recorded
        for _ in range(3):
            network(pixels)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        network(pixels)
    graph.replay()
    begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begun.record()
    for _ in range(_REPLAYS):
        graph.replay()
    ended.record()
    torch.cuda.synchronize()
    return size * _REPLAYS / (begun.elapsed_time(ended) / 1000)
