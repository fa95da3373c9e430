import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from photofleet.settings import LabelSettings
from tests.samples import sample
from workers.label.comparing import softmax
from workers.label.models import Model, ModelError, load_model


def settings(folder: Path, **values: Any) -> LabelSettings:
    """Of the CPU, unless said otherwise, and with a cache of their own."""
    named = {"device": "cpu", "cache": folder / "cache"} | values
    return LabelSettings.model_validate({f"label_{name}": value for name, value in named.items()})


def probabilities(model: Model, *pictures: Image.Image) -> NDArray[np.float32]:
    return softmax(model.classify(np.stack([model.preprocessing.pixels(picture) for picture in pictures])).logits)


def photograph(name: str) -> Image.Image:
    return Image.open(sample(name)).convert("RGB")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(settings(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with weights for torchvision's mobilenet_v3_small, which know nothing."""
    from workers.label.torchvision_models import torchvision

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "mobilenet.pth"
    torch.save(torchvision.models.mobilenet_v3_small(weights=None).state_dict(), path)
    return path


def test_the_default_network_is_as_sure_as_when_it_was_first_tried(model: Model) -> None:
    cat, coffee = probabilities(model, photograph("chelsea.png"), photograph("coffee.png"))

    # Swapped colours or another normalisation cost 0.06 at least.
    assert (cat[285], coffee[967]) == pytest.approx((0.563, 0.892), abs=0.03)


def test_labels_say_which_weights_they_are_from(model: Model) -> None:
    assert model.source == "efficientnet_lite2@9656183eaeaf"
    assert len(model.class_ids) == 1000


def test_scores_are_logits_and_embeddings(model: Model) -> None:
    scores = model.classify(np.zeros((3, 260, 260, 3), np.uint8))

    assert (scores.logits.shape, scores.logits.dtype) == ((3, 1000), np.float32)
    assert (scores.embeddings.shape, scores.embeddings.dtype) == ((3, 256), np.float32)


def test_a_picture_scores_the_same_alone_and_among_others(model: Model) -> None:
    pictures = [photograph("chelsea.png"), photograph("rocket.jpg"), Image.new("RGB", (5, 700), "red")]

    together = probabilities(model, *pictures)

    for picture, scores in zip(pictures, together, strict=True):
        np.testing.assert_allclose(probabilities(model, picture)[0], scores, rtol=1e-3, atol=1e-5)


def test_pixels_that_nobody_may_change_are_scored_too(model: Model) -> None:
    pixels = np.zeros((1, 260, 260, 3), np.uint8)
    pixels.setflags(write=False)

    assert model.classify(pixels).logits.shape == (1, 1000)


def test_a_torchvision_model_scores_as_torchvision_itself_would(tmp_path: Path, mobilenet: Path) -> None:
    from workers.label.torchvision_models import torchvision

    published = torchvision.models.MobileNet_V3_Small_Weights.DEFAULT
    network = torchvision.models.mobilenet_v3_small(weights=None).eval()
    network.load_state_dict(torch.load(mobilenet, weights_only=True))
    picture = photograph("chelsea.png").crop((0, 0, 384, 256))  # of a size at which both crop at whole pixels
    with torch.inference_mode():
        expected = network(published.transforms()(picture)[None]).softmax(dim=1)[0]

    model = load_model(settings(tmp_path, model="mobilenet_v3_small", weights=str(mobilenet)))

    np.testing.assert_allclose(probabilities(model, picture)[0], expected, rtol=1e-3)
    assert model.classify(np.zeros((1, 224, 224, 3), np.uint8)).embeddings.shape == (1, 256)


def test_preprocessing_is_that_of_the_published_weights_in_the_file() -> None:
    from workers.label.torchvision_models import preprocessing

    first, newest = preprocessing("resnet50", "0676ba61" + 56 * "0"), preprocessing("resnet50", 64 * "0")

    assert (first.size, first.short_side) == (224, 256)
    assert (newest.size, newest.short_side) == (224, 232)


@pytest.mark.parametrize("name", ["clairvoyant", "fcn_resnet50"])
def test_a_model_that_torchvision_does_not_classify_with_is_refused(tmp_path: Path, mobilenet: Path, name: str) -> None:
    with pytest.raises(ModelError, match=rf"PHOTOFLEET_LABEL_MODEL={name} is neither .* mobilenet_v3_small"):
        load_model(settings(tmp_path, model=name, weights=str(mobilenet)))


@pytest.mark.parametrize("name", ["efficientnet_lite2", "resnet18"])
def test_weights_of_another_model_are_refused(tmp_path: Path, mobilenet: Path, name: str) -> None:
    with pytest.raises(ModelError, match=f"PHOTOFLEET_LABEL_WEIGHTS: .*mobilenet.pth does not fit .*={name}"):
        load_model(settings(tmp_path, model=name, weights=str(mobilenet)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"PHOTOFLEET_LABEL_WEIGHTS: .*absent.pth cannot be read: No such file"):
        load_model(settings(tmp_path, weights=str(tmp_path / "absent.pth")))


def test_a_file_that_has_the_sha256_of_the_settings_is_taken(tmp_path: Path, mobilenet: Path) -> None:
    sha256 = hashlib.sha256(mobilenet.read_bytes()).hexdigest()

    model = load_model(settings(tmp_path, model="mobilenet_v3_small", weights=str(mobilenet), weights_sha256=sha256))

    assert model.version == sha256[:12]


def test_a_file_with_another_sha256_is_refused(tmp_path: Path, mobilenet: Path) -> None:
    with pytest.raises(ModelError, match=r"mobilenet.pth has the SHA-256 .* and not the 0000"):
        load_model(settings(tmp_path, model="mobilenet_v3_small", weights=str(mobilenet), weights_sha256=64 * "0"))


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04" + bytes(100), bytes(1000)])
def test_a_file_that_torch_did_not_save_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)

    with pytest.raises(ModelError, match="is no state dict that torch saved"):
        load_model(settings(tmp_path, weights=str(path)))


def test_a_truncated_file_is_refused(tmp_path: Path, mobilenet: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(mobilenet.read_bytes()[:100_000])

    with pytest.raises(ModelError, match="is no state dict that torch saved"):
        load_model(settings(tmp_path, model="mobilenet_v3_small", weights=str(path)))


def test_memory_that_is_full_is_not_blamed_on_the_file(
    tmp_path: Path, mobilenet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(torch, "load", fill)

    with pytest.raises(MemoryError):
        load_model(settings(tmp_path, model="mobilenet_v3_small", weights=str(mobilenet)))


@pytest.mark.parametrize("thing", [[1, 2], {"epoch": 3}, {3: torch.zeros(1)}])
def test_a_file_with_something_else_in_it_is_refused(tmp_path: Path, thing: object) -> None:
    path = tmp_path / "weights.pth"
    torch.save(thing, path)

    with pytest.raises(ModelError, match="holds something else than a state dict"):
        load_model(settings(tmp_path, weights=str(path)))


class _Trap:
    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (self.sprung,)


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    path, sprung = tmp_path / "weights.pth", tmp_path / "sprung"
    torch.save({"weight": _Trap(sprung)}, path, pickle_module=pickle)

    with pytest.raises(ModelError, match="is no state dict that torch saved"):
        load_model(settings(tmp_path, weights=str(path)))
    assert not sprung.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="PHOTOFLEET_LABEL_DEVICE=cuda cannot be used"):
        load_model(settings(tmp_path, device="cuda"))


def test_a_process_uses_one_thread_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    load_model(settings(tmp_path))
    assert torch.get_num_threads() == 2

    monkeypatch.delenv("OMP_NUM_THREADS")
    load_model(settings(tmp_path))
    assert torch.get_num_threads() == 1


def test_the_interface_does_not_import_torch() -> None:
    program = "import sys, workers.label.models, workers.label.commands; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
