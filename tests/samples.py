"""The openly licensed photographs that scikit-image ships, found without importing it."""

from importlib.util import find_spec
from pathlib import Path


def sample(name: str) -> Path:
    """The file of one photograph: chelsea.png (a cat), coffee.png, rocket.jpg, motorcycle_left.png…"""
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("scikit-image is not installed; `make install` installs it.")
    return Path(spec.submodule_search_locations[0]) / "data" / name
