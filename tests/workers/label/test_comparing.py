import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photofleet.settings import LabelSettings
from workers.label import checking
from workers.label.comparing import good_enough, time_engines
from workers.label.engine import Batch, OutOfMemory, Scores
from workers.label.imagenet import class_ids
from workers.label.models import Model, ModelError
from workers.label.preprocessing import Preprocessing

NAP_S = 0.002
LOGITS = np.eye(3, dtype=np.float32) * 9


class Gpu:
    """An engine during whose work the processor has nothing to do.

    Args:
        room: For how many pictures it has memory.
    """

    def __init__(self, room: int = 1000) -> None:
        self.room = room

    def __call__(self, batch: Batch) -> Scores:
        if len(batch) > self.room:
            raise OutOfMemory("CUDA out of memory.")
        time.sleep(NAP_S)
        return Scores(np.zeros((len(batch), 1000), np.float32), np.zeros((len(batch), 4), np.float32))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_stand_for_none(wrong: float) -> None:
    broken = LOGITS.copy()
    broken[1, 1] = wrong

    assert good_enough(LOGITS, LOGITS)
    assert not good_enough(broken, LOGITS)
    assert not good_enough(LOGITS, broken)


def test_engines_are_timed_by_the_clock_that_is_given() -> None:
    ticks = iter(range(1000))

    taken = time_engines({"gpu": Gpu()}, np.zeros((4, 2, 2, 3), np.uint8), lambda: next(ticks))

    assert taken == {"gpu": 1000 / 4}


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """The engine of the model that is checked, as if on a GPU."""
    gpu = Gpu()
    preprocessing = Preprocessing(8, 0.875, Image.Resampling.BILINEAR, (0, 0, 0), (1, 1, 1))
    model = Model("ours", "1", preprocessing, tuple(class_ids()), "torch on a GPU", gpu)
    monkeypatch.setattr(checking, "wants_gpu", lambda _: True)
    monkeypatch.setattr(checking, "load_model", lambda _: model)
    monkeypatch.setattr(checking, "with_torch", lambda *_: model)
    return gpu


def test_a_gpu_is_timed_with_batches_as_workers_make_them_by_the_time_that_passes(on_gpu: Gpu, tmp_path: Path) -> None:
    found = checking.check(LabelSettings(label_cache=tmp_path, label_batch=50))

    assert set(found.milliseconds) == {1, 50}
    assert found.milliseconds[1] >= NAP_S * 1000, "the processor slept"


def test_a_gpu_without_room_for_the_batch_of_the_settings_is_said_in_a_sentence(on_gpu: Gpu, tmp_path: Path) -> None:
    on_gpu.room = 8
    with pytest.raises(ModelError, match="PHOTOFLEET_LABEL_BATCH=50: the GPU has no room for so many pictures; set a"):
        checking.check(LabelSettings(label_cache=tmp_path, label_batch=50))
