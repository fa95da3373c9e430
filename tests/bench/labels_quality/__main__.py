"""How good labels are, on photos of which is known what they show: `make bench-labels-quality`.

`python -m tests.bench.labels_quality FOLDER` takes photos that are named after their ImageNet class, such as
n01440764_tench.JPEG, and the model of the settings.

- The raw network: how often its best class, and one of its best five, is right, of the middle of each photo.
- What people see: of the labels that are shown, how many are right (the photo's class, or what it is a kind of); and
  how many photos have a right one that says more than "animal" or "vehicle". To beat: the raw network's best class.
- The same of parts of the photos, which are as hard as photos that the network has never seen; the 200 that come to
  hand easily are of those that it has learned from.
- How far confidences are from how often they are right, as the network says them and after calibration: with a
  temperature for each half of the photos that was fitted on parts of the other half's.
- Wide photos, glued of two and three: how many of their photos are found from the middle, and from all squares.

Intervals are those of 95 %. It prints the temperature that all photos give, for workers/label/data/temperatures.toml.
"""

import argparse
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photofleet.catalog.taxonomy import load_taxonomy
from photofleet.images.formats import Format
from photofleet.settings import read_label_settings
from tests.bench.common import BUILD, write_figures
from tests.bench.labels_quality import calibration, diagram
from tests.bench.labels_quality.photos import LABELLED, PARTS, LabelledPhoto, find_labelled, panoramas, random_parts
from workers.label.crops import crops
from workers.label.labels import find_labels, temperature_of
from workers.label.models import Model, load_model
from workers.label.preprocessing import Square
from workers.label.squares import read_squares

DIAGRAM = BUILD / "labels-reliability.png"
BROAD = ("animal", "building", "clothing", "electronics", "food", "furniture", "person", "plant", "tool", "vehicle")
"""Labels that are right, but say too little for a photo to have been found."""

_MAX_PIXELS = 100_000_000
_FLOOR, _LIMIT = 0.05, 5

Logits = NDArray[np.float32]


def main() -> None:
    """Measure, print, and write the figures and the diagram."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.labels_quality")
    parser.add_argument("photos", type=Path, nargs="?", default=LABELLED, help="a folder of photos named after classes")
    folder = parser.parse_args().photos
    try:
        photos = find_labelled(folder)
    except FileNotFoundError as error:
        sys.exit(f"{error}. Name a folder that has: python -m tests.bench.labels_quality FOLDER")
    model = load_model(read_label_settings())
    unknown = sorted({photo.class_id for photo in photos} - set(model.class_ids))
    if unknown:
        sys.exit(f"{model.name} does not know these classes, which photos of {folder} are named after: {unknown}")
    print(f"{len(photos)} photos, {model.source} with {model.engine_name}", flush=True)

    squares = [_squares(photo, model) for photo in photos]
    logits = [model.classify(square).logits for square in squares]
    middles = np.stack([rows[len(rows) // 2] for rows in logits])
    classes = np.array([model.class_ids.index(photo.class_id) for photo in photos])
    parts = [_classify(part, model) for part in random_parts(photos)]
    figures = _raw(middles, classes)
    figures |= _shown("shown", photos, logits, model)
    whole_of_parts = [photo for photo in photos for _ in range(PARTS)]
    figures |= _shown("parts", whole_of_parts, [row[None] for rows in parts for row in rows], model)
    figures |= _calibrated(middles, np.stack(parts), classes, model)
    figures |= _panoramas(photos, model)
    write_figures("labels-quality", figures)


def _raw(logits: Logits, classes: NDArray[np.int_]) -> dict[str, float]:
    ranks = (-logits).argsort(axis=1)
    top_1, top_5 = (int((ranks[:, :most] == classes[:, None]).any(axis=1).sum()) for most in (1, 5))
    print("\nThe raw network")
    _print_share("best class is right", top_1, len(classes))
    _print_share("one of its best five is", top_5, len(classes))
    return {"raw_top1": top_1 / len(classes), "raw_top5": top_5 / len(classes)}


class _Judged(NamedTuple):
    """Of one photo: how many labels are shown, how many of them are right, and whether one of these says enough."""

    shown: int
    right: int
    is_found: bool


def _judge(label_ids: Collection[str], photo: LabelledPhoto) -> _Judged:
    taxonomy = load_taxonomy()
    right = {photo.label_id, *taxonomy.ancestors(photo.label_id)} & set(label_ids)
    near = [label_id for label_id in right if label_id == photo.label_id or taxonomy[label_id].name not in BROAD]
    return _Judged(len(label_ids), len(right), bool(near))


def _shown_labels(logits: Logits, model: Model) -> list[str]:
    temperature = temperature_of(model.name, model.version)
    found = find_labels(logits, model.class_ids, temperature, floor=_FLOOR, limit=_LIMIT)
    taxonomy = load_taxonomy()
    return [label.label_id for label in found if label.confidence >= taxonomy[label.label_id].threshold]


def _shown(name: str, photos: Sequence[LabelledPhoto], logits: Sequence[Logits], model: Model) -> dict[str, float]:
    judged = [_judge(_shown_labels(rows, model), photo) for photo, rows in zip(photos, logits, strict=True)]
    shown, right = sum(one.shown for one in judged), sum(one.right for one in judged)
    found = sum(one.is_found for one in judged)
    labelled = sum(one.shown > 0 for one in judged)
    print(f"\nWhat people see ({name}): {shown / len(photos):.2f} labels a photo")
    _print_share("labels are right", right, shown)
    _print_share("photos have a right one", found, len(photos))
    _print_share("photos have any", labelled, len(photos))
    return {
        f"{name}_precision": right / shown if shown else 0.0,
        f"{name}_recall": found / len(photos),
    }


def _calibrated(logits: Logits, parts: Logits, classes: NDArray[np.int_], model: Model) -> dict[str, float]:
    halves = np.arange(len(classes)) % 2
    fitted = [
        calibration.fit_temperature(np.concatenate(parts[halves != half]), classes[halves != half].repeat(PARTS))
        for half in (0, 1)
    ]
    of_all = calibration.fit_temperature(np.concatenate(parts), classes.repeat(PARTS))
    shipped = temperature_of(model.name, model.version)
    series = {
        "as the network says": calibration.answers(logits, classes),
        "calibrated on the other half": calibration.answers(logits, classes, np.array(fitted)[halves]),
    }
    on_parts = calibration.answers(np.concatenate(parts), classes.repeat(PARTS), shipped)
    print("\nExpected calibration error")
    for name, given in [
        *series.items(),
        (f"at {shipped:g}, which ships", calibration.answers(logits, classes, shipped)),
    ]:
        low, high = calibration.error_interval(given)
        print(f"  {name:<32} {calibration.calibration_error(given):.3f}  ({low:.3f} to {high:.3f})")
    print(f"  {f'at {shipped:g}, of parts':<32} {calibration.calibration_error(on_parts):.3f}")
    print(
        f"Temperatures: {fitted[0]:.2f} and {fitted[1]:.2f} for the halves, {of_all:.2f} for all; of the parts, "
        f"{on_parts.right.mean():.1%} are right"
    )
    diagram.draw(series, DIAGRAM)
    print(f"The reliability diagram is {DIAGRAM}")
    before, after = map(calibration.calibration_error, series.values())
    return {"ece_before": before, "ece_after": after, "temperature": of_all, "parts_top1": float(on_parts.right.mean())}


def _panoramas(photos: Sequence[LabelledPhoto], model: Model) -> dict[str, float]:
    figures = {}
    print("\nWide photos: whose photos are found, and how many labels are right")
    for count in (2, 3):
        middle, everywhere = [], []
        for members, image in panoramas(photos, count):
            squares = [Square(*crop) for crop in crops(*image.size)]
            rows = _classify([(image, square) for square in squares], model)
            middle.append(_judge_panorama(_shown_labels(rows[[len(rows) // 2]], model), members))
            everywhere.append(_judge_panorama(_shown_labels(rows, model), members))
        for name, judged in (("middle", middle), ("everywhere", everywhere)):
            found, right, shown = (sum(column) for column in zip(*judged, strict=True))
            _print_share(f"{count} photos, {name}: found", found, len(judged) * count)
            _print_share(f"{count} photos, {name}: right", right, shown)
            figures[f"panorama_{count}_{name}_recall"] = found / (len(judged) * count)
            figures[f"panorama_{count}_{name}_precision"] = right / shown if shown else 0.0
    return figures


def _judge_panorama(label_ids: Sequence[str], members: Sequence[LabelledPhoto]) -> tuple[int, int, int]:
    """How many of its photos are found, how many labels are right, and how many there are."""
    right = {label_id for label_id in label_ids if any(_judge([label_id], photo).right for photo in members)}
    return sum(_judge(label_ids, photo).is_found for photo in members), len(right), len(label_ids)


def _squares(photo: LabelledPhoto, model: Model) -> NDArray[np.uint8]:
    return read_squares(photo.path.read_bytes(), Format.JPEG, model.preprocessing, max_pixels=_MAX_PIXELS)


def _classify(squares: Sequence[tuple[Image.Image, Square]], model: Model) -> Logits:
    return model.classify(np.stack([model.preprocessing.pixels(image, square) for image, square in squares])).logits


def _print_share(what: str, hits: int, total: int) -> None:
    low, high = calibration.share_interval(hits, total)
    print(f"  {what:<32} {hits / total if total else 0:6.1%}  ({low:.1%} to {high:.1%}; {hits} of {total})")


if __name__ == "__main__":
    main()
