"""What `photofleet models prepare` keeps: of each network the engines that are as good as torch, in its own folder."""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Self

# Not in /proc/cpuinfo, which the services on AWS do not see.
from numpy._core._multiarray_umath import __cpu_features__  # type: ignore[import-not-found]

from workers.label import own
from workers.label.preprocessing import Preprocessing
from workers.label.replacing import replacing
from workers.label.weights import Weights

TORCH, TORCH_BF16 = "torch-fp32", "torch-bf16"
ONNX, ONNX_INT8 = "onnxruntime-fp32", "onnxruntime-int8"

_FOLDER, _CARD = "prepared", "card.json"

logger = logging.getLogger(__name__)

_RECIPE = 4
"""To be raised when other files are made of the same weights, or the card says other things."""

_FEATURES = {"int8": ("AVX512VNNI", "ASIMDDP"), "bf16": ("AVX512BF16",)}
"""What makes processors fast at small numbers, each by any of some instructions, as numpy calls them."""


class Choice(NamedTuple):
    """An engine that is as good as torch in 32 bits.

    Attributes:
        engine: Its name.
        needs: What it takes of a processor to be as fast and as good as it was found.
        sha256: Of the file with the network that it runs; None where it runs the weights themselves.
        agreement: The share of sample pictures with a sure class for which it and torch in 32 bits find the same.
        difference: How much a class's probability differs at most between the two, on average over the pictures.
    """

    engine: str
    needs: Sequence[str]
    sha256: str | None
    agreement: float
    difference: float


@dataclass(frozen=True)
class Card:
    """What is known of a prepared network.

    Attributes:
        preprocessing: How the network wants its pictures.
        choices: The engines that it may run with, the fastest first.
        milliseconds: Of CPU per picture that each engine took that was tried, one by one.
    """

    preprocessing: Preprocessing
    choices: tuple[Choice, ...]
    milliseconds: Mapping[str, float]

    def as_json(self) -> Mapping[str, Any]:
        """What `from_json` takes."""
        choices = [choice._asdict() for choice in self.choices]
        return vars(self) | {"preprocessing": self.preprocessing.as_json(), "choices": choices}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The card in a file. Raises KeyError, TypeError or ValueError."""
        preprocessing = Preprocessing.from_json(values["preprocessing"])
        choices = tuple(Choice(**choice) for choice in values["choices"])
        return cls(preprocessing, choices, values["milliseconds"])


def folder_of(cache: Path, model: str, weights: Weights) -> Path:
    """Where a network's folder is, whose name says all that what is in it depends on."""
    parts = [model, weights.sha256, version("onnxruntime"), version("torch"), _RECIPE]
    if weights.is_program:
        parts.append(own.read_preprocessing(weights.path).as_json())
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return cache / _FOLDER / f"{model}-{weights.version}-{digest[:12]}"


def names(cache: Path) -> list[str]:
    """The names of all folders with a prepared network."""
    return sorted(path.parent.name for path in (cache / _FOLDER).glob(f"*/{_CARD}"))


def read_card(folder: Path) -> Card | None:
    """What was found out about the network of a folder; None if there is nothing that can be read."""
    try:
        return Card.from_json(json.loads((folder / _CARD).read_text(encoding="utf-8")))
    except (OSError, AttributeError, KeyError, TypeError, ValueError):
        return None


def usable(folder: Path, card: Card) -> Iterator[tuple[str, bytes | None]]:
    """The engines that this processor can run with, the fastest first, each with the file of its network if it has one.

    Files are checked, as one that is damaged may end the process that reads it. What is passed over is logged.
    """
    for choice in card.choices:
        lacking = sorted(set(choice.needs) - features())
        if lacking:
            logger.warning("%s is passed over: this processor is not fast at %s.", choice.engine, " and ".join(lacking))
        elif choice.sha256 is None:
            yield choice.engine, None
        else:
            path = _network_path(folder, choice.engine)
            content = path.read_bytes() if path.is_file() else b""
            if hashlib.sha256(content).hexdigest() == choice.sha256:
                yield choice.engine, content
            else:
                problem = "is not as it was made; `photofleet models prepare` makes it again"
                logger.warning("%s is passed over: %s %s.", choice.engine, path, problem)


def write(folder: Path, card: Card, files: Mapping[str, bytes]) -> None:
    """Keep a card, after the files with the networks that its engines run. Raises OSError."""
    for choice in card.choices:
        if choice.sha256:
            with replacing(_network_path(folder, choice.engine)) as file:
                file.write(files[choice.engine])
    with replacing(folder / _CARD) as file:
        file.write(json.dumps(card.as_json(), indent=2).encode() + b"\n")


def _network_path(folder: Path, engine: str) -> Path:
    return folder / f"{engine}.onnx"


def features() -> frozenset[str]:
    """Which small numbers this processor is fast at."""
    return frozenset(
        name for name, any_of in _FEATURES.items() if any(__cpu_features__.get(feature) for feature in any_of)
    )
