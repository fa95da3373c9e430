"""`make install` makes the network ready that `make run` and the tests label with, in a folder of the project."""

import os
import subprocess
from collections.abc import Mapping

from photofleet.settings import read_label_settings
from tests.conftest import MODELS

ROOT = MODELS.parents[1]


def commands(target: str, *options: str) -> str:
    """What make would do."""
    make = ("make", "--dry-run", "--directory", str(ROOT), *options, target)
    return subprocess.run(make, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True).stdout


def test_the_network_is_made_ready_where_local_workers_and_tests_look_for_it(cloud: Mapping[str, str]) -> None:
    here = f'PHOTOFLEET_LABEL_CACHE="{MODELS}"'
    whenever_the_recipe_changes = "--assume-new=workers/label/prepared.py"

    assert f"{here} .venv/bin/photofleet models prepare" in commands("install", whenever_the_recipe_changes)
    assert f"{here} .venv/bin/photofleet local up" in commands("run")
    assert read_label_settings().label_cache == MODELS
    assert cloud["PHOTOFLEET_LABEL_CACHE"] == str(MODELS)
