import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import Tensor, nn

from photofleet.settings import LabelSettings
from tests.workers.label.test_own import Means, written
from workers.label import prepared
from workers.label.commands import models
from workers.label.comparing import compare, softmax
from workers.label.exporting import export, pad_in_convolutions
from workers.label.models import load_model
from workers.label.onnx_engine import OnnxEngine
from workers.label.preparation import prepare
from workers.label.preprocessing import Preprocessing
from workers.label.sampling import parts, samples
from workers.label.torch_engine import FromPixels, TorchEngine


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the default network was prepared."""
    folder = tmp_path_factory.mktemp("cache")
    result = run("prepare", folder)
    assert result.exit_code == 0, result.output
    return folder


def run(command: str, cache: Path, **environment: str) -> Result:
    settings = {"PHOTOFLEET_LABEL_CACHE": str(cache), "PHOTOFLEET_LABEL_DEVICE": "cpu"} | environment
    return CliRunner().invoke(models, [command], env=settings)


def settings(cache: Path, **values: Any) -> LabelSettings:
    return LabelSettings.model_validate({"label_cache": cache, "label_device": "cpu"} | values)


def card_path(cache: Path) -> Path:
    (path,) = cache.glob("prepared/*/card.json")
    return path


def test_what_was_prepared_is_loaded_and_says_the_same_as_torch(cache: Path, tmp_path: Path) -> None:
    model, plain = load_model(settings(cache)), load_model(settings(tmp_path))
    pictures = parts(model.preprocessing, seed=5)

    scores, expected = model.classify(pictures), plain.classify(pictures)

    assert plain.engine_name == "torch-fp32"
    assert model.engine_name == json.loads(card_path(cache).read_text(encoding="utf-8"))["engine"]
    assert (model.source, model.preprocessing, model.class_ids) == (plain.source, plain.preprocessing, plain.class_ids)
    agreement, difference = compare(scores.logits, expected.logits)
    assert agreement >= 0.95
    assert difference <= 0.06
    similarity = np.sum(scores.embeddings * expected.embeddings, axis=1) / (
        np.linalg.norm(scores.embeddings, axis=1) * np.linalg.norm(expected.embeddings, axis=1)
    )
    assert similarity.min() > 0.9


def test_what_needs_another_processor_is_not_used(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = json.loads(card_path(cache).read_text(encoding="utf-8")) | {"needs": ["telepathy"]}
    copy = tmp_path / card_path(cache).relative_to(cache)
    copy.parent.mkdir(parents=True)
    copy.write_text(json.dumps(card), encoding="utf-8")

    assert load_model(settings(tmp_path)).engine_name == "torch-fp32"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"preprocessing": {}}'])
def test_a_card_that_cannot_be_read_is_as_none(cache: Path, tmp_path: Path, text: str) -> None:
    copy = tmp_path / card_path(cache).relative_to(cache)
    copy.parent.mkdir(parents=True)
    copy.write_text(text, encoding="utf-8")

    assert load_model(settings(tmp_path)).engine_name == "torch-fp32"


def test_check_finds_the_default_network_fit(cache: Path) -> None:
    result = run("check", cache)

    assert result.exit_code == 0, result.output
    assert "Model: efficientnet_lite2@9656183eaeaf" in result.output
    assert "cat (" in result.output
    assert "WRONG" not in result.output
    assert "8 at a time" in result.output


def test_check_finds_a_network_that_knows_nothing_unfit(tmp_path: Path) -> None:
    from workers.label.torchvision_models import torchvision

    torch.manual_seed(0)
    path = tmp_path / "nothing.pth"
    torch.save(torchvision.models.mobilenet_v3_small(weights=None).state_dict(), path)
    named = {"PHOTOFLEET_LABEL_MODEL": "mobilenet_v3_small", "PHOTOFLEET_LABEL_WEIGHTS": str(path)}

    result = run("check", tmp_path, **named)

    assert result.exit_code == 1
    assert "WRONG" in result.output
    assert "mobilenet_v3_small" in result.output


def test_list_names_what_there_is(cache: Path) -> None:
    result = run("list", cache)

    assert result.exit_code == 0
    assert "Configured: efficientnet_lite2, with the weights that come with it" in result.output
    assert "efficientnet_v2_s" in result.output
    assert card_path(cache).parent.name in result.output


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    result = run("check", tmp_path, PHOTOFLEET_LABEL_WEIGHTS=str(tmp_path / "absent.pth"))

    assert result.exit_code == 1
    assert "PHOTOFLEET_LABEL_WEIGHTS: " in str(result.exception)


class Bounded(nn.Module):
    """Convolutions that are padded as TensorFlow's are: more on the right and at the bottom."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.classify = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        features = self.second(self.first(nn.functional.pad(images, (0, 1, 0, 1))).clamp(0, 6))
        logits: Tensor = self.classify(features.mean(dim=(2, 3)))
        return logits


@pytest.fixture
def bounded() -> FromPixels:
    torch.manual_seed(1)
    preprocessing = Preprocessing(16, 0.875, Image.Resampling.BICUBIC, (127, 127, 127), (128, 128, 128))
    return FromPixels(Bounded().eval(), preprocessing)


def test_an_exported_network_says_what_torch_says(bounded: FromPixels, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    expected = TorchEngine(bounded, torch.device("cpu"))(pictures)

    export(bounded, tmp_path / "network.onnx")
    scores = OnnxEngine(tmp_path / "network.onnx")(pictures)

    np.testing.assert_allclose(scores.logits, expected.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores.embeddings, expected.embeddings, rtol=1e-4, atol=1e-5)
    assert "Pad" not in {node.op_type for node in onnx.load(tmp_path / "network.onnx").graph.node}


def test_padding_that_a_convolution_cannot_do_stays() -> None:
    sizes = numpy_helper.from_array(np.array([0, 1, 0, 0, 0, 0, 1, 1]), "sizes")  # of a channel, too
    weights = numpy_helper.from_array(np.zeros((1, 2, 3, 3), np.float32), "weights")
    graph = helper.make_graph(
        [
            helper.make_node("Pad", ["x", "sizes"], ["padded"], mode="constant"),
            helper.make_node("Conv", ["padded", "weights"], ["y"], pads=[0, 0, 0, 0]),
        ],
        "padding",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 3, 3])],
        [sizes, weights],
    )

    pad_in_convolutions(graph)

    assert [node.op_type for node in graph.node] == ["Pad", "Conv"]


def test_a_network_of_ones_own_can_be_prepared(tmp_path: Path) -> None:
    path = written(tmp_path, ".pt", Means())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    own = settings(tmp_path, label_model="mine", label_weights=str(path), label_weights_sha256=sha256)

    card = prepare(own)

    assert load_model(own).engine_name == card.engine
    assert load_model(own).class_ids == ("n02084071", "n02121808", None)


def test_probabilities_add_up_however_large_the_logits() -> None:
    assert softmax(np.array([[1000, 1000], [-1000, 0]], np.float32)).tolist() == [[0.5, 0.5], [0, 1]]


def test_the_sample_pictures_are_small_and_each_has_its_licence() -> None:
    found = list(samples())
    folder = Path(prepared.__file__).with_name("samples")
    licences = (folder / "LICENSES.md").read_text(encoding="utf-8")

    assert all(f"`{sample.name}.jpg`" in licences for sample in found)
    assert {sample.name for sample in found if sample.expected} == {"cat", "coffee", "rocket"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 600_000
