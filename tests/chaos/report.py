"""What came of a run, for people and for build/bench/chaos.json."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.uploads import Uploads
from tests.chaos.verdict import Verdict


@dataclass(frozen=True)
class Report:
    """What was done in a run, what was seen, and what is wrong."""

    seed: int
    photos: Mapping[str, int]
    done: Counter[str]
    seen: Mapping[str, float]
    uploads: Uploads
    verdict: Verdict
    failures: Sequence[str]
    """What is wrong with the run itself: it did not become quiet, or the adversary fell over."""

    @property
    def problems(self) -> Sequence[str]:
        """Everything that is wrong."""
        return [*self.failures, *self.uploads.refused, *self.verdict.problems]

    @property
    def figures(self) -> Mapping[str, float]:
        """The numbers to keep."""
        return {
            "photos": sum(self.photos.values()),
            "lost": len(self.verdict.lost),
            "inconsistent": len(self.verdict.inconsistent),
            "dead_letters_unexpected": len(self.verdict.dead_letters),
            "problems": len(self.problems),
            "seed": self.seed,
            "acts": self.done.total(),
            **self.seen,
        }

    def __str__(self) -> str:
        count = sum(self.photos.values())
        kinds = ", ".join(f"{number} {kind}" for kind, number in self.photos.items())
        lines = [f"{count} photos ({kinds}), seed {self.seed}.", "", "Done to the service:"]
        lines += [f"{number:8}  {name}" for name, number in sorted(self.done.items())]
        lines += ["", "Seen:"]
        lines += [f"{number:8g}  {name.replace('_', ' ')}" for name, number in self.seen.items()]
        lines += [
            f"{number:8}  uploads answered with {name}"
            for name, number in sorted(Counter(self.uploads.answers).items())
        ]
        lines += ["", *(["Wrong:", *self.problems] if self.problems else ["Everything is as it must be."])]
        if self.problems:
            lines += ["", f"The same again: python -m tests.chaos --photos {count} --seed {self.seed}"]
        return "\n".join(lines)
