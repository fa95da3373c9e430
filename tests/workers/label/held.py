"""The label fleet's application, with a network that a test can hold, and that notes how many pictures it is given."""

import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from photofleet.settings import LabelSettings
from workers.label import network
from workers.label.celery import app
from workers.label.collector import Collector
from workers.label.engine import Batch, Scores
from workers.label.models import Model, load_model

__all__ = ["app"]

FOLDER = Path(os.environ["TEST_NETWORK_FOLDER"])
"""The network stands still while there is a file `hold` in it, and writes a line to `batches` for each batch."""


def load_held_model(settings: LabelSettings) -> Model:
    model = load_model(settings)

    def engine(batch: Batch) -> Scores:
        with (FOLDER / "batches").open("a") as file:
            file.write(f"{len(batch)}\n")
        while (FOLDER / "hold").exists():
            time.sleep(0.01)
        return model.engine(batch)

    return replace(model, engine=engine)


network.load_model = load_held_model
network.Collector = partial(Collector, limit=float(os.environ["TEST_NETWORK_LIMIT"]))  # type: ignore[misc, assignment]
