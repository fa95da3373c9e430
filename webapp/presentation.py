"""What every template can use: addresses of built assets and renditions, and numbers as people write them."""

import json
from functools import cache
from pathlib import Path

from flask import Flask

from photofleet.catalog.models import Rendition
from photofleet.images.formats import Format
from photofleet.settings import Settings
from photofleet.storage import rendition_url, static_url
from webapp.photos.outcome import outcome
from webapp.photos.picture import picture_of, sizes_of
from webapp.uploads.refusals import ACCEPTED

BUILT = Path(__file__).parent / "static" / "build"


def init_app(app: Flask, settings: Settings) -> None:
    """Make them known to the templates."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        asset=asset,
        percent=percent,
        filesize=filesize,
        outcome=outcome,
        picture_of=picture_of,
        sizes_of=sizes_of,
        rendition_url=_url_of,
        static_url=static_url,
        limits={
            "max_bytes": settings.upload_max_bytes,
            "max_files": settings.upload_max_files,
            "formats": ACCEPTED,
            "content_types": ",".join((*(format.content_type for format in Format), "image/heif")),
        },
    )


def asset(name: str) -> str:
    """The address of a built script or style sheet, which has its content's hash in its name."""
    return static_url(f"build/{_manifest()[name]}")


def percent(confidence: float) -> str:
    """A confidence between 0 and 1 as a percentage."""
    return f"{confidence * 100:.0f}\N{NARROW NO-BREAK SPACE}%"


def filesize(size: int) -> str:
    """A number of bytes as people write it."""
    value = float(size)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000 or unit == "MB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if value >= 10 or unit == "bytes" else f"{value:.1f} {unit}"


def _url_of(rendition: Rendition) -> str:
    return rendition_url(rendition.key)


@cache
def _manifest() -> dict[str, str]:
    names: dict[str, str] = json.loads((BUILT / "manifest.json").read_text())
    return names
