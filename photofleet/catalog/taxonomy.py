"""What a photo can show: labels with their synonyms, each below more general ones ("beagle" below "dog").

The data is a part of WordNet 3.0 in the words of people (data/taxonomy.tsv, which taxonomy_build makes); the ids are
WordNet's, as in ImageNet.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_HEADER = ("id", "name", "synonyms", "parents")
_SEPARATOR = "; "


@dataclass(frozen=True)
class TaxonomyLabel:
    """One label: its WordNet id (n02084071), the word that people use, other words, and its parents' ids."""

    id: str
    name: str
    synonyms: tuple[str, ...]
    parents: tuple[str, ...]
    threshold: float = 0.1


class Taxonomy:
    """All labels, by id."""

    def __init__(self, labels: Iterable[TaxonomyLabel]) -> None:
        self._labels: Mapping[str, TaxonomyLabel] = {label.id: label for label in labels}

    def __iter__(self) -> Iterator[TaxonomyLabel]:
        return iter(self._labels.values())

    def __len__(self) -> int:
        return len(self._labels)

    def __contains__(self, label_id: object) -> bool:
        return label_id in self._labels

    def __getitem__(self, label_id: str) -> TaxonomyLabel:
        return self._labels[label_id]

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
        TaxonomyLabel(label_id, name, tuple(filter(None, synonyms.split(_SEPARATOR))), tuple(parents.split()))
        for label_id, name, synonyms, parents in rows
    ]


def format_taxonomy(labels: Iterable[TaxonomyLabel]) -> str:
    """Write labels as lines of tab-separated columns, "; " between synonyms and blanks between parents."""
    rows = [(label.id, label.name, _SEPARATOR.join(label.synonyms), " ".join(label.parents)) for label in labels]
    return "".join("\t".join(row) + "\n" for row in (_HEADER, *rows))
