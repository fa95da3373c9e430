"""How good labels are, on photos of which is known what they show: `make bench-labels-quality`.

`python -m tests.bench.labels_quality FOLDER` takes photos that are named after their ImageNet class, such as
n01440764_tench.JPEG, and the model of the settings.

- The raw network: how often its best class, and one of its best five, is exactly the photo's, of the middle of each.
- What people see, beside the label of the raw network's best class, judged by one rule: how many labels are right (the
  photo's class, or what it is a kind of), how many without those as broad as "animal", how many photos have a right one
  that is not so broad, and how far confidences are from how often labels are right. All of it on
    - the whole photos, from most of which the network has learned, as those that come to hand easily are ImageNet's;
    - parts of them, which are harder;
    - the photos cut to 16:9, and two and three of them glued into a panorama: from the middle square alone, from all.
- How far the network's confidences are from how often its best class is right, as it says them and calibrated.
- How much photos have in common with those that "More like this" shows.

Each half of the photos is judged with the temperature that was fitted on parts of the other half's. Intervals are those
of 95 %. It prints the temperature that all photos give, for workers/label/data/temperatures.toml.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photofleet.settings import read_label_settings
from tests.bench.common import BUILD, print_table, write_figures
from tests.bench.label.measured import ready_model
from tests.bench.labels_quality import calibration, diagram
from tests.bench.labels_quality.cases import SETS, WIDE, Case, Logits, classify, find_cases
from tests.bench.labels_quality.judging import Judged, Labels, judge, raw_labels, shown_labels
from tests.bench.labels_quality.likeness import NEAREST, labels_in_common
from tests.bench.labels_quality.photos import LABELLED, LabelledPhoto, find_labelled, random_parts
from tests.conftest import MODELS
from webapp.ops.precision import precision
from workers.label.labels import temperature_of
from workers.label.models import Model

DIAGRAM = BUILD / "labels-reliability.png"


def main() -> None:
    """Measure, print, and write the figures and the diagram."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.labels_quality")
    parser.add_argument("photos", type=Path, nargs="?", default=LABELLED, help="a folder of photos named after classes")
    folder = parser.parse_args().photos
    try:
        photos = find_labelled(folder)
    except FileNotFoundError as error:
        sys.exit(f"{error}. Name a folder that has: python -m tests.bench.labels_quality FOLDER")
    settings = read_label_settings().model_copy(update={"label_cache": MODELS})
    model = ready_model(settings)
    unknown = sorted({photo.class_id for photo in photos} - set(model.class_ids))
    if unknown:
        sys.exit(f"{model.name} does not know these classes, which photos of {folder} are named after: {unknown}")
    print(f"{len(photos)} photos, {model.source} with {model.engine_name}", flush=True)

    classes = np.array([model.class_ids.index(photo.class_id) for photo in photos])
    parts = np.stack([classify(part, model) for part in random_parts(photos)])
    temperatures = calibration.held_out_temperatures(parts, classes)
    cases = find_cases(photos, parts, temperatures, model)
    middles = np.stack([case.only_middle().logits[0] for case in cases["whole photos"]])
    ways: dict[str, Callable[[Case], Labels]] = {
        "raw": partial(raw_labels, class_ids=model.class_ids),
        "middle": lambda case: shown_labels(case.only_middle(), model.class_ids, settings),
        "shown": partial(shown_labels, class_ids=model.class_ids, settings=settings),
    }
    judged = {
        (name, way): judge(cases[name], labels)
        for name in SETS
        for way, labels in ways.items()
        if way != "middle" or name in WIDE
    }

    figures = _raw(middles, classes) | _shown(judged)
    figures |= _calibrated(middles, classes, temperatures, cases, ways["shown"])
    of_all = calibration.fit_temperature(np.concatenate(parts), classes.repeat(parts.shape[1]))
    parts_top1 = float((parts.argmax(axis=-1) == classes[:, None]).mean())
    print(
        f"Temperatures: {temperatures[0]:.2f} and {temperatures[1]:.2f} for the halves, {of_all:.2f} for all (it ships "
        f"with {temperature_of(model.name, model.version):g}), fitted on parts, of {parts_top1:.1%} of which the best "
        f"class is right: their size was chosen for that"
    )
    figures |= {"temperature": of_all, "parts_top1": parts_top1} | _alike(photos, model)
    write_figures("labels-quality", figures, engine=model.engine_name)


def _raw(logits: Logits, classes: NDArray[np.int_]) -> dict[str, float]:
    ranks = (-logits).argsort(axis=1)
    top_1, top_5 = (int((ranks[:, :most] == classes[:, None]).any(axis=1).sum()) for most in (1, 5))
    print("\nThe raw network, of whole photos")
    print(f"  best class is exactly the photo's  {_share(top_1, len(classes))}")
    print(f"  one of its best five is            {_share(top_5, len(classes))}\n")
    return {"raw_top1": top_1 / len(classes), "raw_top5": top_5 / len(classes)}


def _alike(photos: Sequence[LabelledPhoto], model: Model) -> dict[str, float]:
    nearest, chance, best = labels_in_common(photos, model)
    print(
        f"\nLabels that a photo has in common with the {NEAREST} most like it: {nearest:.1%} "
        f"(with any others {chance:.1%}, at best {best:.1%})"
    )
    return {"alike_nearest": nearest, "alike_chance": chance, "alike_best": best}


def _shown(judged: Mapping[tuple[str, str], Judged]) -> dict[str, float]:
    rows: list[tuple[str, ...]] = []
    figures: dict[str, float] = {}
    for (name, way), given in judged.items():
        shares = {
            "precision": (int(given.labels.right.sum()), len(given.labels.right)),
            "narrow_precision": (int(given.narrow.right.sum()), len(given.narrow.right)),
            "recall": (given.found, given.photos),
        }
        error = calibration.calibration_error(given.labels)
        a_picture = len(given.labels.right) / given.pictures
        rows.append(
            (f"{name}, {way}", f"{a_picture:.2f}", *(_share(*share) for share in shares.values()), f"{error:.3f}")
        )
        figures |= {f"{SETS[name]}{way}_{share}": hits / max(total, 1) for share, (hits, total) in shares.items()}
        figures[f"{SETS[name]}{way}_ece"] = error
    header = ("labels", "a picture", "are right", "without broad ones", "photos have a right one", "ECE")
    print_table(header, rows)
    print("raw: the network's best class; middle: what is shown from the middle alone; shown: what people see")
    return figures


def _calibrated(
    logits: Logits,
    classes: NDArray[np.int_],
    temperatures: NDArray[np.float64],
    cases: Mapping[str, Sequence[Case]],
    shown: Callable[[Case], Labels],
) -> dict[str, float]:
    every = [case for of_set in cases.values() for case in of_set]
    series = {
        "best class, as the network says": calibration.answers(logits, classes),
        "best class, calibrated": calibration.answers(logits, classes, temperatures),
        "labels shown from one square": judge((case for case in every if len(case.logits) == 1), shown).labels,
        "labels shown from several": judge((case for case in every if len(case.logits) > 1), shown).labels,
    }
    print("\nExpected calibration error")
    errors = []
    for name, given in series.items():
        low, high = calibration.error_interval(given)
        errors.append(calibration.calibration_error(given))
        print(f"  {name:<32} {errors[-1]:.3f}  ({low:.3f} to {high:.3f})")
    diagram.draw(series, DIAGRAM)
    print(f"The reliability diagram is {DIAGRAM}")
    names = ("ece_before", "ece_after", "ece_shown_from_one", "ece_shown_from_several")
    return dict(zip(names, errors, strict=True))


def _share(hits: int, total: int) -> str:
    given = precision(hits, total - hits)
    return f"{given.share:.1%} ({given.low:.1%} to {given.high:.1%})" if given else "none"


if __name__ == "__main__":
    main()
