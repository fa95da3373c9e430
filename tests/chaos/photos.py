"""The photos of a run: small, each unlike any other, in every format; some of them bad, and some poison."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from photofleet.images.formats import Format
from photofleet.images.renditions import DEFAULT_RENDITIONS, Mode, parse_renditions
from tests.faulty_decoder import Fault
from tests.pictures import encode, noise

_WIDTHS = sorted({spec.width for spec in parse_renditions(DEFAULT_RENDITIONS) if spec.mode is Mode.FIT})

POISON_SHARE, BAD_SHARE = 0.02, 0.03
KEPT_OF_BAD = 0.5
"""The part of a bad file that is there: its header, which is all that an upload looks at, and not its picture."""


class Kind(StrEnum):
    """What is to become of a photo: everything it is owed, a failure that is recorded at once, or one after all
    attempts. Names of files begin with it."""

    GOOD = "good"
    BAD = "bad"
    POISON = "poison"


@dataclass(frozen=True)
class ChaosPhoto:
    """One photo of a run, made when it is looked at: the same for the same run and number."""

    seed: str
    kind: Kind
    format: Format
    width: int
    height: int

    @property
    def filename(self) -> str:
        return f"{self.kind}-{self.seed}.{self.format.extension}"

    @property
    def content(self) -> bytes:
        whole = encode(noise(self.width, self.height, self.seed), self.format)
        match self.kind:
            case Kind.BAD:
                return whole[: int(len(whole) * KEPT_OF_BAD)]
            case Kind.POISON:
                return Fault.CRASH.put_into(whole)
        return whole

    @property
    def renditions(self) -> frozenset[tuple[str, str]]:
        """Name and format of each rendition that its size warrants: every width up to the first that is not smaller."""
        smaller = [width for width in _WIDTHS if width < self.width]
        widths = [*smaller, *(width for width in _WIDTHS if width >= self.width)][: len(smaller) + 1]
        return frozenset((f"w{width}", format.value) for width in widths for format in (Format.JPEG, Format.WEBP))


def make_photos(count: int, seed: int) -> Sequence[ChaosPhoto]:
    """The photos of a run, in the order of their upload; of each kind at least one.

    What fails comes in the first half: poison is given up only after a while, for which the run need not wait then.
    """
    generator = random.Random(f"photos {seed}")
    few = {kind: max(1, round(count * share)) for kind, share in ((Kind.BAD, BAD_SHARE), (Kind.POISON, POISON_SHARE))}
    first = [kind for kind, number in few.items() for _ in range(number)]
    first += [Kind.GOOD] * (count // 2 - len(first))
    generator.shuffle(first)
    kinds = first + [Kind.GOOD] * (count - len(first))
    return [_photo(f"{seed}-{number}", kind, generator) for number, kind in enumerate(kinds)]


def _photo(seed: str, kind: Kind, generator: random.Random) -> ChaosPhoto:
    format = generator.choice(list(Format)) if kind is Kind.GOOD else Format.JPEG
    return ChaosPhoto(seed, kind, format, generator.randint(40, 700), generator.randint(40, 500))
