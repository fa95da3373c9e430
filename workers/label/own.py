"""Networks of one's own: what lies beside their file.

Beside `NAME.pt` or `NAME.pt2`, `NAME.toml` says how the network wants its pictures:

    size = 224                       # pixels of a side
    crop = 0.875                     # what the middle square is of a photo's short side
    resampling = "bilinear"          # or "bicubic", "lanczos"
    mean = [123.7, 116.3, 103.5]     # of red, green and blue, from 0 to 255
    deviation = [58.4, 57.1, 57.4]

and `NAME.txt` what its outputs mean, in their order, one a line: a label's WordNet id or its name in the taxonomy, or
"-" for what is no label.

From (n, 3, size, size) in 32 bits, the network returns the logits, (n, outputs), or a pair of them and its embedding,
(n, d): the numbers of its last layer but one, for example, by which similar photos are found. Return it: without it, a
.pt or .pt2 file's logits are taken for it, as nobody can tell its layers any more.
"""

import tomllib
from collections import defaultdict
from pathlib import Path

from photofleet.catalog.taxonomy import load_taxonomy
from photofleet.settings import variable
from workers.label.preprocessing import Preprocessing
from workers.label.weights import ModelError

NO_LABEL = "-"


def read_preprocessing(weights: Path) -> Preprocessing:
    """Read the file NAME.toml. Raises ModelError."""
    path, text = _beside(weights, ".toml")
    try:
        return Preprocessing.from_json(tomllib.loads(text))
    except ValueError as error:
        raise ModelError(f"{variable('label_weights')}: {path} cannot be used: {error}") from error


def read_class_ids(weights: Path) -> tuple[str | None, ...]:
    """Read the file NAME.txt: the id of each output in the taxonomy, or None. Raises ModelError."""
    path, text = _beside(weights, ".txt")
    named: dict[str, list[str]] = defaultdict(list)
    for label in load_taxonomy():
        named[label.name.lower()].append(label.id)
    found: list[str | None] = []
    for number, line in enumerate(text.splitlines(), 1):
        word = line.strip()
        ids = _by_id(word) or named[word.lower()]
        if word != NO_LABEL and len(ids) != 1:
            problem = (
                f"means {' or '.join(ids)}: write the id" if ids else 'is no label of the taxonomy; "-" stands for none'
            )
            raise ModelError(f"{variable('label_weights')}: {path}, line {number}: {word!r} {problem}")
        found.append(ids[0] if ids else None)
    return tuple(found)


def _by_id(word: str) -> list[str]:
    try:
        return [load_taxonomy().of_class(word).id]
    except KeyError:
        return []


def _beside(weights: Path, suffix: str) -> tuple[Path, str]:
    path = weights.with_suffix(suffix)
    try:
        return path, path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise ModelError(f"{variable('label_weights')}: {path} cannot be read: {reason}") from error
