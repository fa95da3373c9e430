"""What `photofleet models prepare` keeps: for each network the engine that is fastest here, in a folder of its own."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

# Not in /proc/cpuinfo, which the services on AWS do not see.
from numpy._core._multiarray_umath import __cpu_features__  # type: ignore[import-not-found]

from workers.label import own
from workers.label.preprocessing import Preprocessing
from workers.label.replacing import replacing
from workers.label.weights import Weights

TORCH, TORCH_BF16 = "torch-fp32", "torch-bf16"
ONNX, ONNX_INT8 = "onnxruntime-fp32", "onnxruntime-int8"

_FOLDER, _CARD = "prepared", "card.json"

_RECIPE = 1
"""To be raised when other files are made of the same weights."""

_FEATURES = {"int8": ("AVX512VNNI", "ASIMDDP"), "bf16": ("AVX512BF16",)}
"""What makes processors fast at small numbers, each by any of some instructions, as numpy calls them."""


@dataclass(frozen=True)
class Card:
    """What is known of a prepared network.

    Attributes:
        engine: The fastest.
        needs: What it takes of a processor to be that.
        preprocessing: How the network wants its pictures.
        agreement: The share of sample pictures with a sure class for which it and torch in 32 bits find the same.
        difference: How much a class's probability differs at most between the two, on average over the pictures.
        milliseconds: Of CPU per picture that each engine took, one by one.
    """

    engine: str
    needs: tuple[str, ...]
    preprocessing: Preprocessing
    agreement: float
    difference: float
    milliseconds: Mapping[str, float]

    def as_json(self) -> Mapping[str, Any]:
        """What `from_json` takes."""
        return vars(self) | {"preprocessing": self.preprocessing.as_json()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The card in a file. Raises KeyError, TypeError or ValueError."""
        preprocessing = Preprocessing.from_json(values["preprocessing"])
        return cls(**{**values, "needs": tuple(values["needs"]), "preprocessing": preprocessing})


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
    """What was found out about the network of a folder; None if there is none, or this processor cannot do it."""
    try:
        card = Card.from_json(json.loads((folder / _CARD).read_text(encoding="utf-8")))
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return card if features() >= set(card.needs) else None


def write(folder: Path, card: Card, network: Path | None) -> None:
    """Keep a card, after the file with the network that its engine runs, if it needs one. Raises OSError."""
    if network:
        with replacing(network_path(folder, card)) as file, network.open("rb") as made:
            shutil.copyfileobj(made, file)
    with replacing(folder / _CARD) as file:
        file.write(json.dumps(card.as_json(), indent=2).encode() + b"\n")


def network_path(folder: Path, card: Card) -> Path:
    """Where the network is that the card's engine runs."""
    return folder / f"{card.engine}.onnx"


def features() -> frozenset[str]:
    """Which small numbers this processor is fast at."""
    return frozenset(
        name for name, any_of in _FEATURES.items() if any(__cpu_features__.get(feature) for feature in any_of)
    )
