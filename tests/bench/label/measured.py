"""What benchmarks label with, and what: a network made ready, and renditions as the resize fleet makes them."""

from photofleet.images.formats import Format
from photofleet.images.renditions import DEFAULT_RENDITIONS, parse_renditions
from photofleet.settings import LabelSettings
from workers.label.models import Model, load_model
from workers.label.preparation import prepare
from workers.label.prepared import TORCH
from workers.resize.renditions import make_renditions
from workers.resize.results import Rendition

MAX_PIXELS = 200_000_000

_WIDTHS = (2048, 1280)
"""Of renditions: the last, and that which it is made of."""


def ready_model(settings: LabelSettings) -> Model:
    """The model of the settings, made ready first where that has not been done, or torch was found to be fastest."""
    model = load_model(settings)
    if model.engine_name == TORCH:
        print("Making the network ready", flush=True)
        prepare(settings)
        model = load_model(settings)
    return model


def rendition(photo: bytes) -> Rendition:
    """What a label worker takes of a photo: the JPEG, 1280 px wide, of those that are made if nothing else is said."""
    declared = parse_renditions(DEFAULT_RENDITIONS)
    specs = [spec for spec in declared if spec.width in _WIDTHS and spec.format is Format.JPEG]
    made = make_renditions(photo, Format.JPEG, specs, max_pixels=MAX_PIXELS)
    return [one for one in made if isinstance(one, Rendition)][-1]
