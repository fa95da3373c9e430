"""The classes of ILSVRC2012, which most published networks know."""

from functools import cache
from importlib.resources import files


@cache
def class_ids() -> tuple[str, ...]:
    """The taxonomy's ids of its 1,000 classes, in the order of a network's outputs."""
    return tuple(files(__package__).joinpath("imagenet_classes.txt").read_text(encoding="ascii").split())
