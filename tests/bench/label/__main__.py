"""CPU of a photo from its JPEG's bytes to scores, beside everyone else's, with EfficientNet-Lite2: `make bench-label`.

The peers are a plain torch loop (full decode, one photo at a time, 32 bits, as a tutorial writes it), and ONNX Runtime
in 32 bits with a scaled decode. In each round every photo is done by all in turn, by one thread, so that whatever else
the machine does hits all alike; ratios are those of a round's sums of CPU time, and the median round is reported. Ours
looks at several parts of a wide photo, as a label worker does.

What is compared are methods: all decode in this process, and nobody else has a sandbox. A worker decodes in one
(workers/sandbox), as files are strangers'. What labelling costs with it, the CPU of its processes included, is beside
that: `sandbox_cpu_ms` is what it adds to a photo, `cpu_vs_onnxruntime_sandboxed` the ratio to the peer without one.
What a worker does besides, from the queue to the catalog, is measured by `python -m tests.bench.label.service`.

Where torch finds a GPU, the network's pictures a second there follow, beside those of the bare network
(tests/bench/label/gpu.py); `--device` has only one of the two measured.
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import psutil
import torch
from PIL import Image

from photofleet.settings import LabelSettings
from tests.bench.common import print_table, write_figures
from tests.bench.label.contestants import (
    FROM_RENDITION,
    ONNXRUNTIME,
    OURS,
    OURS_FROM_RENDITION,
    OURS_IN_SANDBOX,
    PLAIN_TORCH,
    Contestants,
    contestants,
)
from tests.bench.label.gpu import BATCHES as BATCHES_ON_GPU
from tests.bench.label.gpu import replays_per_second
from tests.bench.label.measured import rendition
from tests.bench.resize.photos import find_photos
from tests.conftest import MODELS
from workers.label.comparing import in_batches
from workers.label.engine import Batch
from workers.label.models import load_model, with_torch
from workers.label.sampling import parts
from workers.label.weights import read_weights

LABELLED = Path(__file__).parents[4] / "shared" / "photos" / "labelled"
ROUNDS = 5
BATCHES = (1, 4, 8)

Rounds = Mapping[str, Sequence[float]]
"""Seconds of each contestant in each round."""


def main() -> None:
    """Measure, print tables, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.label")
    parser.add_argument("--photos", default=os.environ.get("PHOTOS"), help="a folder of JPEGs")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each photo is done")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="only what the network does there")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    if options.device != "cuda":
        engine, figures = on_cpu(options.photos, options.rounds)
        write_figures("label", figures, engine=engine)
    if options.device == "cuda" or (options.device is None and torch.cuda.is_available()):
        engine, figures = on_gpu(options.rounds)
        write_figures("label-gpu", figures, engine=engine)


def on_cpu(folder: str | None, rounds: int) -> tuple[str, dict[str, float]]:
    """Run all on the CPU. Returns our engine's name, and the figures."""
    all_of_them = contestants()
    photos = [photo.path.read_bytes() for photo in find_photos(folder)]
    renditions = [rendition(photo).data for photo in photos]
    print(f"{len(photos)} photos, {rounds} rounds, {all_of_them.model.source} by {all_of_them.model.engine_name}")
    whole = race_photos(all_of_them, photos, renditions, rounds)
    print("\nA photo, from bytes to scores")
    show(whole, len(photos), ONNXRUNTIME)
    figures = {
        "cpu_vs_plain_torch": ratio(whole, OURS_FROM_RENDITION, PLAIN_TORCH),
        "cpu_vs_onnxruntime": ratio(whole, OURS_FROM_RENDITION, ONNXRUNTIME),
        "cpu_vs_onnxruntime_from_original": ratio(whole, OURS, ONNXRUNTIME),
        "cpu_vs_onnxruntime_sandboxed": ratio(whole, OURS_IN_SANDBOX, ONNXRUNTIME),
        "sandbox_cpu_ms": difference_ms(whole, OURS_IN_SANDBOX, OURS_FROM_RENDITION) / len(photos),
    }
    print(f"The sandbox adds {figures['sandbox_cpu_ms']:.1f} ms.")
    pictures = parts(all_of_them.model.preprocessing, seed=2)
    _, peer, ours = all_of_them.networks
    for size in BATCHES:
        alone = race({name: [partial(run, pictures[:size])] for name, run in all_of_them.networks.items()}, rounds * 5)
        print(f"\nThe network alone, {size} at a time")
        show(alone, size, peer)
        figures["network_vs_onnxruntime" + (f"_{size}" if size > 1 else "")] = ratio(alone, ours, peer)
    return all_of_them.model.engine_name, figures | accuracy(all_of_them)


def race_photos(all_of_them: Contestants, photos: Sequence[bytes], renditions: Sequence[bytes], rounds: int) -> Rounds:
    """Have each photo done by all in turn; who works from renditions gets the photo's."""
    work = {}
    for name, do in all_of_them.photos.items():
        files = renditions if name in FROM_RENDITION else photos
        work[name] = [partial(do, file) for file in files]
    return race(work, rounds)


def race(work: Mapping[str, Sequence[Callable[[], object]]], rounds: int) -> Rounds:
    """Have everyone do all of their work, piece by piece in turn; the first pieces are done once before that."""
    for pieces in work.values():
        pieces[0]()
    sandbox = psutil.Process().children()  # it has begun with the first pieces, and waits
    seen: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        sums = dict.fromkeys(work, 0.0)
        names = list(work)
        for index in range(len(work[names[0]])):
            first = (number + index) % len(names)
            for name in names[first:] + names[:first]:
                started = cpu_s(sandbox)
                work[name][index]()
                sums[name] += cpu_s(sandbox) - started
        for name, taken in sums.items():
            seen[name].append(taken)
    return seen


def cpu_s(sandbox: Sequence[psutil.Process]) -> float:
    """CPU seconds so far of the sandbox, with those of its processes that have ended, and of this process."""
    return sum(sum(process.cpu_times()[:4]) for process in sandbox) + time.process_time()


def difference_ms(rounds: Rounds, name: str, other: str) -> float:
    """How many milliseconds more one takes than another, as the median round has it."""
    return 1000 * median(own - its for own, its in zip(rounds[name], rounds[other], strict=True))


def ratio(rounds: Rounds, name: str, other: str) -> float:
    """What one takes for each second of another's, as the median round has it."""
    return median(own / its for own, its in zip(rounds[name], rounds[other], strict=True))


def show(rounds: Rounds, count: int, peer: str) -> None:
    """Print what each took."""
    print_table(
        ("", "CPU ms", "of onnxruntime fp32"),
        [(name, 1000 * median(taken) / count, f"{ratio(rounds, name, peer):.3f}") for name, taken in rounds.items()],
    )


def accuracy(all_of_them: Contestants) -> dict[str, float]:
    """How many of a hundred photos ours gets right less than torch in 32 bits: labelled ones, if there are any."""
    torch_fp32, _, ours = all_of_them.networks.values()
    model = all_of_them.model
    if LABELLED.is_dir():
        files = sorted(LABELLED.iterdir())
        pictures = np.stack([model.preprocessing.pixels(Image.open(file).convert("RGB")) for file in files])
        expected = np.array([model.class_ids.index(file.name.split("_")[0]) for file in files])
        what = f"{len(files)} labelled photos"
    else:
        pictures = parts(model.preprocessing, seed=3)
        expected = likeliest(torch_fp32, pictures)
        what = "parts of the sample pictures, for which torch in 32 bits counts as right"
    plain, quick = (100 * float(np.mean(likeliest(run, pictures) == expected)) for run in (torch_fp32, ours))
    print(f"\nRight at first guess, of {what}: torch in 32 bits {plain:.1f} %, ours {quick:.1f} %")
    return {"accuracy_delta_points": plain - quick}


def likeliest(network: Callable[[Batch], np.ndarray], pictures: Batch) -> np.ndarray:
    """The likeliest class of each picture."""
    return np.concatenate([network(pictures[start : start + 8]) for start in range(0, len(pictures), 8)]).argmax(axis=1)


def on_gpu(rounds: int) -> tuple[str, dict[str, float]]:
    """Measure how many pictures a second the network does on a GPU, with their way to it and back, and at best."""
    settings = LabelSettings(label_device="cuda", label_cache=MODELS)
    model = load_model(settings)
    size = model.preprocessing.size
    figures = {}
    for count in BATCHES_ON_GPU:
        batch = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
        model.classify(batch)
        seconds = []
        for _ in range(rounds * 10):
            started = time.perf_counter()
            model.classify(batch)
            seconds.append(time.perf_counter() - started)
        figures[f"pictures_per_s_{count}"] = count / median(seconds)
    for count, rate in replays_per_second(settings).items():
        figures[f"replays_per_s_{count}"] = rate
    print_table(
        (f"{model.engine_name}: at a time", "pictures/s", "at best", "share"),
        [
            (count, ours, best, f"{ours / best:.0%}")
            for count in BATCHES_ON_GPU
            for ours, best in [(figures[f"pictures_per_s_{count}"], figures[f"replays_per_s_{count}"])]
        ],
    )
    pictures = parts(model.preprocessing, seed=3)
    plain = with_torch(settings, read_weights(settings))
    same = in_batches(model.engine, pictures).argmax(axis=1) == in_batches(plain.engine, pictures).argmax(axis=1)
    return model.engine_name, figures | {"agreement": float(same.mean())}


if __name__ == "__main__":
    main()
