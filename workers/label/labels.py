"""From a network's scores to labels of the taxonomy that people want to see.

A network shares 1 out among its classes. People do not mind which of five terriers a dog is, if it is not clear: the
shares of all kinds of a thing together are how sure the network is of that thing, and a photo gets the most specific
labels of which it is sure enough.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from photofleet.catalog.results import FoundLabel
from photofleet.catalog.taxonomy import SILENCED, load_taxonomy
from workers.label.comparing import softmax

_DOUBT_AT_SIDES = 3
"""By what the odds of a label are divided where a crop beside the middle one speaks for it.

Such crops often show no more than pieces of things, and the more there are to choose from, the surer is the surest
mistake. On the wide photos of `make bench-labels-quality`, 3 is likeliest of 1 to 8, on either half of them alone.
"""


def find_labels(
    logits: NDArray[np.float32],
    class_ids: tuple[str | None, ...],
    temperature: float,
    *,
    floor: float,
    limit: int,
) -> list[FoundLabel]:
    """The labels of one photo.

    These are the most specific labels that reach their thresholds in the taxonomy: classes, or what several likely
    classes are kinds of. With them come the most specific ones from the floor on, for when a threshold is lowered, and
    what all of these are kinds of, for when one is raised: then a photo shows a dog, if no more a pug.

    Args:
        logits: What the network says of each of the photo's crops, (crops, classes), from one end of the photo to the
            other. The crop that shows a thing best speaks for it: of each label's confidences the greatest counts.
        class_ids: The id of each output in the taxonomy, or None for one that is no label.
        temperature: By which the logits are divided; see `temperature_of`.
        floor: The least confidence of a label, from 0 to 1.
        limit: The most labels that are not there as others are kinds of them. The surest are taken.

    Returns:
        The labels, the surest first.

    Raises:
        ValueError: The logits are of another number of classes, or not all of them are numbers.
    """
    if logits.ndim != 2 or logits.shape[1] != len(class_ids):
        raise ValueError(f"expected {len(class_ids)} logits of each crop, not an array of shape {logits.shape}")
    if not np.isfinite(logits).all():
        raise ValueError("the network has gone wrong: not all of its logits are numbers")
    if not any(class_ids):
        return []
    labels = _labels_above(class_ids)
    confidences = _of_photo(labels.sums(softmax(logits / temperature)).clip(0, 1))
    likely = np.flatnonzero((confidences >= floor) & labels.may_be_given)
    shown = labels.most_specific(likely[confidences[likely] >= labels.thresholds[likely]])
    found = shown | (labels.most_specific(likely) - labels.implied_by(shown))
    surest = sorted(found, key=lambda index: -confidences[index])[:limit]
    above = labels.implied_by(surest).intersection(likely.tolist())
    kept = sorted(above.union(surest), key=lambda index: -confidences[index])
    return [FoundLabel(labels.ids[index], float(confidences[index])) for index in kept]


def _of_photo(confidences: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the confidences of each crop (crops, labels), those of the photo: the greatest, less so at its sides."""
    doubt = np.full((len(confidences), 1), _DOUBT_AT_SIDES, np.float32)
    doubt[len(doubt) // 2] = 1
    result: NDArray[np.float32] = (confidences / (confidences + doubt * (1 - confidences))).max(axis=0)
    return result


@cache
def temperature_of(name: str, version: str) -> float:
    """The temperature of a model's logits at which its confidences say how often it is right.

    It stands in data/temperatures.toml, with where it is from (temperature scaling: Guo et al., 2017,
    arXiv:1706.04599); a model that is not there is taken at its word.
    """
    models = tomllib.loads(files(__package__).joinpath("data", "temperatures.toml").read_text(encoding="utf-8"))
    return float(models.get(name, {}).get(version, 1))


@dataclass(frozen=True)
class _Labels:
    """All labels that are a network's classes or above them, by their index.

    `kinds` are the network's outputs that are each label or a kind of it, one label after the other, and `starts` where
    in it each label's begin.
    """

    ids: tuple[str, ...]
    ancestors: tuple[frozenset[int], ...]
    kinds: NDArray[np.intp]
    starts: NDArray[np.intp]
    thresholds: NDArray[np.float32]
    may_be_given: NDArray[np.bool_]

    def sums(self, shares: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of the shares (crops, classes), each label's (crops, labels): its own and those of all kinds of it."""
        return np.add.reduceat(shares[:, self.kinds], self.starts, axis=1)

    def implied_by(self, indices: Iterable[int]) -> frozenset[int]:
        return frozenset().union(*(self.ancestors[index] for index in indices))

    def most_specific(self, indices: NDArray[np.intp]) -> set[int]:
        labels = set(indices.tolist())
        return labels - self.implied_by(labels)


@lru_cache(maxsize=4)
def _labels_above(class_ids: tuple[str | None, ...]) -> _Labels:
    taxonomy = load_taxonomy()
    classes = [None if class_id is None else taxonomy.of_class(class_id) for class_id in class_ids]
    direct = {label.id for label in classes if label}
    ids = tuple(sorted(direct.union(*(taxonomy.ancestors(label_id) for label_id in direct))))
    index_of = {label_id: index for index, label_id in enumerate(ids)}
    ancestors = tuple(frozenset(index_of[above] for above in taxonomy.ancestors(label_id)) for label_id in ids)
    kinds: list[list[int]] = [[] for _ in ids]
    for output, label in enumerate(classes):
        if label:
            for index in (index_of[label.id], *ancestors[index_of[label.id]]):
                kinds[index].append(output)
    starts = np.cumsum([0, *map(len, kinds[:-1])])
    thresholds = np.array([taxonomy[label_id].threshold for label_id in ids], np.float32)
    return _Labels(ids, ancestors, np.concatenate(kinds), starts, thresholds, thresholds < SILENCED)
