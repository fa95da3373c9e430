"""What a photo can show: labels with words and categories, each below more general ones ("beagle" below "dog").

The data is a part of WordNet 3.0 in the words of people (data/taxonomy.tsv, which taxonomy_build makes); the ids are
WordNet's, as in ImageNet.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SILENCED = 1.0
"""The threshold of labels that are for people and for searching: machines do not give them."""

_HEADER = ("id", "name", "synonyms", "parents", "merged", "categories", "threshold")
_SEPARATOR = "; "


@dataclass(frozen=True)
class TaxonomyLabel:
    """One label: its WordNet id (n02084071), the word that people use, other words, and its parents' ids.

    `merged` are the ids of what is no label of its own, as people would call it by this name; `categories` the most
    general words, of which there are about 25; `threshold` the confidence from which a machine's label is shown.
    """

    id: str
    name: str
    synonyms: tuple[str, ...]
    parents: tuple[str, ...]
    threshold: float = 0.5
    merged: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class Taxonomy:
    """All labels, by id."""

    def __init__(self, labels: Iterable[TaxonomyLabel]) -> None:
        self._labels: Mapping[str, TaxonomyLabel] = {label.id: label for label in labels}
        self._merged = {merged: label for label in self._labels.values() for merged in label.merged}

    def __iter__(self) -> Iterator[TaxonomyLabel]:
        return iter(self._labels.values())

    def __len__(self) -> int:
        return len(self._labels)

    def __contains__(self, label_id: object) -> bool:
        return label_id in self._labels

    def __getitem__(self, label_id: str) -> TaxonomyLabel:
        return self._labels[label_id]

    def get(self, label_id: str) -> TaxonomyLabel | None:
        """The label, or None where there is none, or none any more."""
        return self._labels.get(label_id)

    def of_class(self, class_id: str) -> TaxonomyLabel:
        """The label that a network's class is, be it merged into another. Raises KeyError where there is none."""
        return self._merged.get(class_id) or self._labels[class_id]

    def ancestors(self, label_id: str) -> frozenset[str]:
        """The ids of everything that the label is a kind of; itself is not among them."""
        found: set[str] = set()
        waiting = list(self._labels[label_id].parents)
        while waiting:
            if (parent := waiting.pop()) not in found:
                found.add(parent)
                waiting.extend(self._labels[parent].parents)
        return frozenset(found)


@cache
def load_taxonomy() -> Taxonomy:
    """Read the taxonomy that ships with this package."""
    text = files(__package__).joinpath("data", "taxonomy.tsv").read_text(encoding="utf-8")
    return Taxonomy(parse_taxonomy(text))


def parse_taxonomy(text: str) -> list[TaxonomyLabel]:
    """Read what `format_taxonomy` wrote."""
    rows = (line.split("\t") for line in text.splitlines()[1:])
    return [
        TaxonomyLabel(
            label_id,
            name,
            _split(synonyms),
            tuple(parents.split()),
            float(threshold),
            tuple(merged.split()),
            _split(categories),
        )
        for label_id, name, synonyms, parents, merged, categories, threshold in rows
    ]


def format_taxonomy(labels: Iterable[TaxonomyLabel]) -> str:
    """Write labels as lines of tab-separated columns, "; " between words and blanks between ids."""
    rows = [
        (
            label.id,
            label.name,
            _SEPARATOR.join(label.synonyms),
            " ".join(label.parents),
            " ".join(label.merged),
            _SEPARATOR.join(label.categories),
            f"{label.threshold:g}",
        )
        for label in labels
    ]
    return "".join("\t".join(row) + "\n" for row in (_HEADER, *rows))


def _split(words: str) -> tuple[str, ...]:
    return tuple(filter(None, words.split(_SEPARATOR)))
