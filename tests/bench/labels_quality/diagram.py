"""The reliability diagram: how often answers are right that are so sure, as a picture."""

from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tests.bench.labels_quality.calibration import BINS, Answers, bins, calibration_error

_SIDE, _MARGIN, _SCALE, _COLUMNS = 320, 56, 2, 2
_INK, _GRID, _BAR, _GAP = "#1f2933", "#d9dee4", "#3b7dd8", "#e0862f"


def draw(series: Mapping[str, Answers], path: Path) -> None:
    """Write a PNG with a panel for each of the named answers, two of them beside one another.

    A bar is as high as the share of right answers among those of its confidence; what lacks to the diagonal, or is
    above it, is the line from its top.
    """
    panel = _SIDE + 2 * _MARGIN
    rows = -(-len(series) // _COLUMNS)
    image = Image.new("RGB", (panel * _COLUMNS * _SCALE, panel * rows * _SCALE), "white")
    for place, (name, given) in enumerate(series.items()):
        row, column = divmod(place, _COLUMNS)
        _panel(ImageDraw.Draw(image), column * panel + _MARGIN, row * panel + _MARGIN, name, given)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)


def _panel(draw: ImageDraw.ImageDraw, left: float, top: float, name: str, given: Answers) -> None:
    def at(x: float, y: float) -> tuple[float, float]:
        return (left + x * _SIDE) * _SCALE, (top + (1 - y) * _SIDE) * _SCALE

    font, small = (ImageFont.load_default(size * _SCALE) for size in (13, 10))
    for step in range(0, BINS + 1, 2):
        share = step / BINS
        draw.line((at(0, share), at(1, share)), fill=_GRID, width=_SCALE)
        draw.text(at(-0.02, share), f"{share:.0%}", fill=_INK, font=small, anchor="rm")
        draw.text(at(share, -0.02), f"{share:.0%}", fill=_INK, font=small, anchor="mt")
    for confidence, right, count in bins(given):
        start = min(int(confidence * BINS), BINS - 1) / BINS
        draw.rectangle((at(start + 0.01, right), at(start + 1 / BINS - 0.01, 0)), fill=_BAR)
        draw.line((at(confidence, right), at(confidence, confidence)), fill=_GAP, width=3 * _SCALE)
        draw.text(
            at(start + 0.5 / BINS, 0.01), str(count), fill="white" if right > 0.06 else _INK, font=small, anchor="mb"
        )
    draw.line((at(0, 0), at(1, 1)), fill=_INK, width=_SCALE)
    draw.rectangle((at(0, 1), at(1, 0)), outline=_INK, width=_SCALE)
    draw.text(at(0, 1.07), f"{name}: error {calibration_error(given):.3f}", fill=_INK, font=font, anchor="ls")
    draw.text(at(0.5, -0.09), "confidence", fill=_INK, font=small, anchor="mt")
    draw.text(at(0, 1.01), "right answers; in the bars, how many answers", fill=_INK, font=small, anchor="ls")
