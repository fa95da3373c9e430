"""Build data/taxonomy.tsv: the classes that the network knows, the WordNet nouns above them, and what people add.

    python -m photofleet.catalog.taxonomy_build --wordnet /usr/share/wordnet \\
        --classes workers/label/imagenet_classes.txt

WordNet must be 3.0, since ImageNet's ids are its byte offsets. Debian's package wordnet-base is 3.0 (`apt-get download
wordnet-base`, and `dpkg -x` unpacks it anywhere); most packages on npm and PyPI are 3.1. What is changed on the way
is written down in data/taxonomy_edits.toml. The same input gives the same file, byte for byte; data/taxonomy.sha256
says which input that was (`sha256sum` made the same lines), so that a test knows when it is to be built anew.
"""

import argparse
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from photofleet.catalog.taxonomy import SILENCED, TaxonomyLabel, format_taxonomy

DATA = Path(__file__).parent / "data"
EDITS = DATA / "taxonomy_edits.toml"
_HYPERNYM_POINTERS = ("@", "@i")


class BuildError(Exception):
    """The inputs do not make a taxonomy; the message names what to mend."""


@dataclass(frozen=True)
class Synset:
    """One meaning in WordNet: the words for it, and the ids of the more general meanings above it."""

    words: Sequence[str]
    parents: Sequence[str]


@dataclass(frozen=True)
class Edits:
    """What taxonomy_edits.toml says, by synset id; its comments say what each table does."""

    ancestors: Mapping[str, str]
    people: Mapping[str, Sequence[str]]
    names: Mapping[str, str]
    parents: Mapping[str, Sequence[str]]
    merged: Mapping[str, str]
    also: Mapping[str, Sequence[str]]
    never: Mapping[str, Sequence[str]]
    categories: Mapping[str, Sequence[str]]
    thresholds: Mapping[str, float]
    silenced: Sequence[str]


def read_nouns(path: Path) -> dict[str, Synset]:
    """Read WordNet's data.noun, whose format the manual page wndb(5WN) describes."""
    with path.open(encoding="ascii") as lines:
        # The licence stands ahead of the data, in lines that start with blanks.
        return dict(_parse_synset(line) for line in lines if not line.startswith("  "))


def _parse_synset(line: str) -> tuple[str, Synset]:
    # offset, file, type, number of words (hexadecimal), words with a number each, number of pointers, pointers of
    # four fields each (symbol, offset, part of speech, which words), and " | " before the definition
    offset, _, _, word_count, *fields = line.partition(" | ")[0].split()
    pointer_count = 2 * int(word_count, 16)
    words = [word.replace("_", " ") for word in fields[:pointer_count:2]]
    pointers = fields[pointer_count + 1 :]
    symbols_and_targets = zip(pointers[::4], pointers[1::4], strict=True)
    parents = [f"n{target}" for symbol, target in symbols_and_targets if symbol in _HYPERNYM_POINTERS]
    return f"n{offset}", Synset(words, parents)


def build_taxonomy(classes: Iterable[str], synsets: Mapping[str, Synset], edits: Edits) -> list[TaxonomyLabel]:
    """The classes, the ancestors to keep and what people say, by id, each with the nearest of these above it."""
    said_by_networks = set(classes).difference(edits.merged).union(edits.ancestors)
    kept = said_by_networks.union(edits.people)
    _check_ids(set(classes), said_by_networks, synsets, edits)
    passed = set()

    def nearest_kept(synset_id: str) -> set[str]:
        passed.add(synset_id)
        found = set()
        for parent in edits.parents.get(synset_id, synsets[synset_id].parents):
            found |= {parent} if parent in kept else nearest_kept(parent)
        return found

    def all_kept(synset_id: str) -> set[str]:
        found = nearest_kept(synset_id)
        return found.union(*map(all_kept, found))

    labels = []
    for synset_id in sorted(kept):
        merged = sorted(other for other, label_id in edits.merged.items() if label_id == synset_id)
        name, *synonyms = _words([synset_id, *merged], synsets, edits)
        parents = nearest_kept(synset_id)
        parents -= set().union(*map(all_kept, parents))  # an ancestor of a parent goes without saying
        above = {synset_id, *all_kept(synset_id)}
        categories = sorted({category for label_id in above for category in edits.categories.get(label_id, ())})
        if not categories:
            raise BuildError(f"{synset_id} {name} is in no category; give it, or a parent, one in taxonomy_edits.toml")
        threshold = max(edits.thresholds[label_id] for label_id in ("default", *above) if label_id in edits.thresholds)
        labels.append(
            TaxonomyLabel(
                synset_id,
                name,
                tuple(synonyms),
                tuple(sorted(parents)),
                SILENCED if synset_id in edits.silenced else threshold,
                tuple(merged),
                tuple(categories),
            )
        )
    if unplaced := sorted(edits.parents.keys() - passed):
        raise BuildError(f"taxonomy_edits.toml gives {unplaced[0]} parents, but it is no label, nor above one")
    _check_names(labels)
    return labels


def _words(synset_ids: Sequence[str], synsets: Mapping[str, Synset], edits: Edits) -> list[str]:
    """The words for a label, first its name: those of its own synset, of the merged ones, and the added ones.

    Those that people only say have the words of the edits and no others: what WordNet calls people is often unkind.
    """
    label_id = synset_ids[0]
    if label_id in edits.people:
        return list(edits.people[label_id])
    own = [word for synset_id in synset_ids for word in synsets[synset_id].words]
    if unknown := set(never := edits.never.get(label_id, ())).difference(own):
        raise BuildError(f"taxonomy_edits.toml takes {unknown} from {label_id}, which does not have it")
    if idle := set(edits.also.get(label_id, ())).intersection(own):
        raise BuildError(f"taxonomy_edits.toml adds {idle} to {label_id}, which has it already")
    name = edits.ancestors.get(label_id) or edits.names.get(label_id) or own[0]
    words: dict[str, str] = {}
    for word in (name, *own, *edits.also.get(label_id, ())):
        if word == name or word not in never:
            words.setdefault(word.lower(), word)
    return list(words.values())


def _check_ids(classes: set[str], said_by_networks: set[str], synsets: Mapping[str, Synset], edits: Edits) -> None:
    for synset_id in sorted(classes.union(edits.ancestors, edits.people, edits.parents, *edits.parents.values())):
        if synset_id not in synsets:
            raise BuildError(f"{synset_id} is no noun of this WordNet. Is it version 3.0?")
    if unknown := sorted(set(edits.merged) - classes):
        raise BuildError(f"taxonomy_edits.toml merges {', '.join(unknown)}, which is no class")
    if known := sorted(edits.people.keys() & classes.union(edits.ancestors)):
        raise BuildError(f"taxonomy_edits.toml says that only people say {known[0]}, which a network says, too")
    worded = {*edits.names, *edits.also, *edits.never, *edits.merged.values()}
    for synset_id in sorted(worded - said_by_networks):
        raise BuildError(f"taxonomy_edits.toml edits {synset_id}, which is neither a class nor a kept ancestor")
    placed = {*edits.categories, *edits.silenced, *edits.thresholds.keys() - {"default"}}
    for synset_id in sorted(placed - said_by_networks.union(edits.people)):
        raise BuildError(f"taxonomy_edits.toml edits {synset_id}, which is no label")


def _check_names(labels: Sequence[TaxonomyLabel]) -> None:
    counts = Counter(label.name.lower() for label in labels)
    if shared := [f"{label.id} {label.name}" for label in labels if counts[label.name.lower()] > 1]:
        raise BuildError(f"these share a name; give them others in taxonomy_edits.toml: {', '.join(shared)}")


def digests(*paths: Path) -> str:
    """The files' SHA-256 digests, as `sha256sum` writes them: a line for each file, with its name."""
    return "".join(f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths)


def main() -> None:
    """Write data/taxonomy.tsv, and data/taxonomy.sha256 beside it."""
    parser = argparse.ArgumentParser(description=f"Build {DATA.name}/taxonomy.tsv from WordNet 3.0.")
    parser.add_argument("--wordnet", type=Path, required=True, help="the folder that has WordNet's data.noun")
    parser.add_argument("--classes", type=Path, required=True, help="a file with a class's synset id a line")
    parser.add_argument("--output", type=Path, default=DATA / "taxonomy.tsv", help="default: %(default)s")
    options = parser.parse_args()
    edits = Edits(**tomllib.loads(EDITS.read_text(encoding="utf-8")))
    classes = options.classes.read_text(encoding="ascii").split()
    try:
        labels = build_taxonomy(classes, read_nouns(options.wordnet / "data.noun"), edits)
    except BuildError as error:
        sys.exit(str(error))
    options.output.write_text(format_taxonomy(labels), encoding="utf-8")
    options.output.with_suffix(".sha256").write_text(digests(EDITS, options.classes, options.output), encoding="utf-8")


if __name__ == "__main__":
    main()
