"""Whether the model of the settings does what it should, on the pictures that ship with us."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from photofleet.catalog.taxonomy import load_taxonomy
from photofleet.settings import LabelSettings, variable
from workers.label.comparing import compare, good_enough, in_batches, softmax, time_engines
from workers.label.engine import Batch, Engine, OutOfMemory
from workers.label.models import Model, ModelError, load_model, wants_gpu, with_torch
from workers.label.sampling import CHECK, parts, samples
from workers.label.weights import read_weights

_AMONG = 5


class Sight(NamedTuple):
    """What a model saw in a picture: its likeliest class, and whether what is there is among the five likeliest.

    That is None where nothing is known to be there, or the model has no class for it.
    """

    picture: str
    label: str
    probability: float
    right: bool | None


@dataclass(frozen=True)
class Check:
    """What was found out about a model.

    Attributes:
        model: The model.
        sha256: Of its weights.
        sights: What it saw.
        agreement: As in `compare`, between its engine and torch in 32 bits.
        difference: As in `compare`.
        passed: Whether it is fit to label photos.
        milliseconds: Per picture, for each size of batch: of CPU, or, on a GPU, that pass.
    """

    model: Model
    sha256: str
    sights: tuple[Sight, ...]
    agreement: float
    difference: float
    passed: bool
    milliseconds: Mapping[int, float]


def check(settings: LabelSettings) -> Check:
    """Load the model of the settings and try it. Raises ModelError."""
    model, weights = load_model(settings), read_weights(settings)
    plain = with_torch(settings, weights)
    pictures = parts(model.preprocessing, CHECK)
    scores, expected = in_batches(model.engine, pictures), in_batches(plain.engine, pictures)
    agreement, difference = compare(scores, expected)
    sights = tuple(_look(model))
    passed = good_enough(scores, expected) and all(sight.right is not False for sight in sights)
    milliseconds = _time(model.engine, pictures, settings)
    return Check(model, weights.sha256, sights, agreement, difference, passed, milliseconds)


def _time(engine: Engine, pictures: Batch, settings: LabelSettings) -> Mapping[int, float]:
    """What `Check.milliseconds` says. A processor's time says nothing of a GPU, for which it waits."""
    on_gpu = wants_gpu(settings)
    sizes, clock = ((1, settings.label_batch), time.perf_counter) if on_gpu else ((1, 8), time.process_time)
    try:
        batches = {size: np.resize(pictures, (size, *pictures.shape[1:])) for size in sizes}
        return {size: time_engines({"": engine}, batch, clock)[""] for size, batch in batches.items()}
    except OutOfMemory as error:
        problem = f"{variable('label_batch')}={settings.label_batch}"
        raise ModelError(f"{problem}: the GPU has no room for so many pictures; set a lower one ({error})") from error


def _look(model: Model) -> list[Sight]:
    taxonomy = load_taxonomy()
    known = [_meanings(label_id) for label_id in model.class_ids]
    sights = []
    for sample in samples():
        (probabilities,) = softmax(model.classify(model.preprocessing.pixels(sample.picture)[None]).logits)
        likeliest = np.argsort(-probabilities)[:_AMONG]
        right = None
        if sample.expected and any(sample.expected in ids for ids in known):
            right = any(sample.expected in known[index] for index in likeliest)
        best = model.class_ids[likeliest[0]]
        name = taxonomy[best].name if best and best in taxonomy else "no label"
        sights.append(Sight(sample.name, name, float(probabilities[likeliest[0]]), right))
    return sights


def _meanings(label_id: str | None) -> frozenset[str]:
    """A class and all that it is a kind of; nothing if people have no word for it."""
    taxonomy = load_taxonomy()
    return taxonomy.ancestors(label_id) | {label_id} if label_id and label_id in taxonomy else frozenset()
