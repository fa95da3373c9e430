"""CPU of a photo from its JPEG's bytes to scores, beside everyone else's, with EfficientNet-Lite2: `make bench-label`.

The peers are a plain torch loop (full decode, one photo at a time, 32 bits, as a tutorial writes it), and ONNX Runtime
in 32 bits with a scaled decode. In each round every photo is done by all in turn, in this process, by one thread, so
that whatever else the machine does hits all alike; ratios are those of a round's sums of CPU time, and the median round
is reported. Ours is all that a label worker does with a photo's bytes, with several parts of a wide photo.

With a GPU, `--device cuda` measures what the network does there instead.
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
import torch
from PIL import Image

from photofleet.settings import LabelSettings
from tests.bench.common import BUILD, print_table, write_figures
from tests.bench.label.contestants import (
    ONNXRUNTIME,
    OURS,
    OURS_FROM_RENDITION,
    PLAIN_TORCH,
    Contestants,
    contestants,
    rendition,
)
from tests.bench.resize.photos import find_photos
from workers.label.comparing import in_batches
from workers.label.engine import Batch
from workers.label.models import Model, load_model
from workers.label.sampling import parts

LABELLED = Path(__file__).parents[4] / "shared" / "photos" / "labelled"
ROUNDS = 5
BATCHES = (1, 4, 8)
GPU_BATCHES = (1, 8, 32, 128, 256)

Rounds = Mapping[str, Sequence[float]]
"""Seconds of each contestant in each round."""


def main() -> None:
    """Measure, print tables, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.label")
    parser.add_argument("--photos", default=os.environ.get("PHOTOS"), help="a folder of JPEGs")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each photo is done")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="what the network runs on")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    figures = on_gpu(options.rounds) if options.device == "cuda" else on_cpu(options.photos, options.rounds)
    write_figures("label" if options.device == "cpu" else "label-gpu", figures)


def on_cpu(folder: str | None, rounds: int) -> dict[str, float]:
    """Run all on the CPU."""
    all_of_them = contestants(BUILD / "models")
    photos = [photo.path.read_bytes() for photo in find_photos(folder)]
    renditions = [rendition(photo) for photo in photos]
    print(f"{len(photos)} photos, {rounds} rounds, {all_of_them.model.source} by {all_of_them.model.engine_name}")
    whole = race_photos(all_of_them, photos, renditions, rounds)
    print("\nA photo, from bytes to scores")
    show(whole, len(photos), ONNXRUNTIME)
    figures = {
        "cpu_vs_plain_torch": ratio(whole, OURS_FROM_RENDITION, PLAIN_TORCH),
        "cpu_vs_onnxruntime": ratio(whole, OURS_FROM_RENDITION, ONNXRUNTIME),
        "cpu_vs_onnxruntime_from_original": ratio(whole, OURS, ONNXRUNTIME),
    }
    pictures = parts(all_of_them.model.preprocessing, seed=2)
    _, peer, ours = all_of_them.networks
    for size in BATCHES:
        alone = race({name: [partial(run, pictures[:size])] for name, run in all_of_them.networks.items()}, rounds * 5)
        print(f"\nThe network alone, {size} at a time")
        show(alone, size, peer)
        figures["network_vs_onnxruntime" + (f"_{size}" if size > 1 else "")] = ratio(alone, ours, peer)
    return figures | accuracy(all_of_them)


def race_photos(all_of_them: Contestants, photos: Sequence[bytes], renditions: Sequence[bytes], rounds: int) -> Rounds:
    """Have each photo done by all in turn; who works from renditions gets the photo's."""
    work = {}
    for name, do in all_of_them.photos.items():
        files = renditions if name == OURS_FROM_RENDITION else photos
        work[name] = [partial(do, file) for file in files]
    return race(work, rounds)


def race(work: Mapping[str, Sequence[Callable[[], object]]], rounds: int) -> Rounds:
    """Have everyone do all of their work, piece by piece in turn; the first pieces are done once before that."""
    for pieces in work.values():
        pieces[0]()
    seen: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        sums = dict.fromkeys(work, 0.0)
        names = list(work)
        for index in range(len(work[names[0]])):
            first = (number + index) % len(names)
            for name in names[first:] + names[:first]:
                started = time.process_time()
                work[name][index]()
                sums[name] += time.process_time() - started
        for name, taken in sums.items():
            seen[name].append(taken)
    return seen


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


def on_gpu(rounds: int) -> dict[str, float]:
    """Measure how many pictures a second the network does on a GPU, with their way to it and back."""
    model: Model = load_model(LabelSettings(label_device="cuda", label_cache=BUILD / "models"))
    size = model.preprocessing.size
    figures = {}
    for count in GPU_BATCHES:
        batch = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
        model.classify(batch)
        seconds = []
        for _ in range(rounds * 10):
            started = time.perf_counter()
            model.classify(batch)
            seconds.append(time.perf_counter() - started)
        figures[f"pictures_per_s_{count}"] = count / median(seconds)
    plain = load_model(LabelSettings(label_device="cpu", label_cache=BUILD / "none"))
    pictures = parts(model.preprocessing, seed=3)
    same = in_batches(model.engine, pictures).argmax(axis=1) == in_batches(plain.engine, pictures).argmax(axis=1)
    print_table(
        (f"{model.engine_name}: at a time", "pictures/s"), [(n, figures[f"pictures_per_s_{n}"]) for n in GPU_BATCHES]
    )
    return figures | {"agreement": float(same.mean())}


if __name__ == "__main__":
    main()
