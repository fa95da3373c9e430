import hashlib
import json
import shutil
from collections.abc import Callable
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
from workers.label import preparation, prepared
from workers.label.commands import models
from workers.label.comparing import compare, softmax
from workers.label.exporting import export, pad_in_convolutions
from workers.label.models import ModelError, load_model
from workers.label.onnx_engine import OnnxEngine
from workers.label.preparation import choose, prepare
from workers.label.preprocessing import Preprocessing
from workers.label.sampling import CALIBRATION, CHECK, COMPARISON, parts, samples
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


def read_card(cache: Path) -> Any:
    return json.loads(card_path(cache).read_text(encoding="utf-8"))


@pytest.fixture
def copy(cache: Path, tmp_path: Path) -> Path:
    """A copy of the cache in which ONNX Runtime in 32 bits is the first choice, and torch the next."""
    shutil.copytree(cache, tmp_path, dirs_exist_ok=True)
    card = read_card(tmp_path)
    choices = {choice["engine"]: choice for choice in card["choices"]}
    card["choices"] = [choices["onnxruntime-fp32"], choices["torch-fp32"]]
    card_path(tmp_path).write_text(json.dumps(card), encoding="utf-8")
    return tmp_path


def test_what_was_prepared_is_loaded_and_says_the_same_as_torch(cache: Path, tmp_path: Path) -> None:
    model, plain = load_model(settings(cache)), load_model(settings(tmp_path))
    pictures = parts(model.preprocessing, seed=5)

    scores, expected = model.classify(pictures), plain.classify(pictures)

    assert plain.engine_name == "torch-fp32"
    assert model.engine_name == read_card(cache)["choices"][0]["engine"]
    assert (model.source, model.preprocessing, model.class_ids) == (plain.source, plain.preprocessing, plain.class_ids)
    agreement, difference = compare(scores.logits, expected.logits)
    assert agreement >= 0.95
    assert difference <= 0.06
    similarity = np.sum(scores.embeddings * expected.embeddings, axis=1) / (
        np.linalg.norm(scores.embeddings, axis=1) * np.linalg.norm(expected.embeddings, axis=1)
    )
    assert similarity.mean() > 0.97
    assert np.quantile(similarity, 0.1) > 0.9


def test_what_this_processor_cannot_do_is_passed_over_for_the_next_choice(
    copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    card = read_card(copy)
    faster = card["choices"][0] | {"engine": "onnxruntime-int8", "needs": ["telepathy"]}
    card_path(copy).write_text(json.dumps(card | {"choices": [faster, *card["choices"]]}), encoding="utf-8")

    assert load_model(settings(copy)).engine_name == "onnxruntime-fp32"
    assert "onnxruntime-int8 is passed over: this processor is not fast at telepathy." in caplog.text


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [Path.unlink, cut_short, damage])
def test_a_file_that_is_not_as_it_was_made_is_passed_over_for_the_next_choice(
    copy: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = card_path(copy).with_name("onnxruntime-fp32.onnx")
    assert load_model(settings(copy)).engine_name == "onnxruntime-fp32"

    harm(path)

    assert load_model(settings(copy)).engine_name == "torch-fp32"
    assert f"{path} is not as it was made; `photofleet models prepare` makes it again." in caplog.text


_FIRST_VERSION = {
    "engine": "onnxruntime-int8",
    "needs": ["int8"],
    "preprocessing": {"size": 8, "crop": 1, "resampling": "bilinear", "mean": [0, 0, 0], "deviation": [1, 1, 1]},
    "agreement": 1.0,
    "difference": 0.04,
    "milliseconds": {"onnxruntime-int8": 23.0},
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"preprocessing": {}}',
        json.dumps(_FIRST_VERSION),
        json.dumps(_FIRST_VERSION | {"choices": [{"engine": "onnxruntime-int8"}]}),
    ],
)
def test_a_card_that_cannot_be_read_is_as_none(copy: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    card_path(copy).write_text(text, encoding="utf-8")

    assert load_model(settings(copy)).engine_name == "torch-fp32"
    assert "`photofleet models prepare` makes it faster" in caplog.text


EXPECTED = np.array([[4, 0, 0], [0, 4, 0], [0, 0, 4]], np.float32)
MILLISECONDS = {"slow": 9.0, "fast": 1.0}


def test_the_fastest_engine_that_is_right_is_the_first_choice() -> None:
    assert choose({"slow": EXPECTED, "fast": EXPECTED + 0.1}, EXPECTED, MILLISECONDS) == ["fast", "slow"]


@pytest.mark.parametrize("wrong", [EXPECTED[::-1], EXPECTED / 2, np.full_like(EXPECTED, np.nan)])
def test_an_engine_that_is_wrong_is_no_choice_however_fast(wrong: Any) -> None:
    assert choose({"slow": EXPECTED, "fast": wrong}, EXPECTED, MILLISECONDS) == ["slow"]


def test_no_picture_serves_for_two_purposes() -> None:
    purposes = [set(CALIBRATION), set(COMPARISON), set(CHECK)]

    assert set.union(*purposes) == {sample.name for sample in samples()}
    assert sum(map(len, purposes)) == len(list(samples()))


def test_parts_are_of_the_pictures_that_were_asked_for() -> None:
    preprocessing = Preprocessing(4, 1, Image.Resampling.BILINEAR, (0, 0, 0), (1, 1, 1))
    cat, clock, both = (parts(preprocessing, names) for names in (["cat"], ["clock"], CHECK))

    assert np.array_equal(both[: len(cat)], cat)
    assert len(both) == len(cat) + len(clock)
    assert not np.array_equal(parts(preprocessing, ["cat"], seed=1), cat)


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
    scores = OnnxEngine((tmp_path / "network.onnx").read_bytes())(pictures)

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


def own(folder: Path, suffix: str, network: nn.Module) -> LabelSettings:
    path = written(folder, suffix, network)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return settings(folder, label_model="mine", label_weights=str(path), label_weights_sha256=sha256)


@pytest.mark.parametrize("suffix", [".pt", ".pt2"])
def test_a_network_of_ones_own_can_be_prepared(tmp_path: Path, suffix: str) -> None:
    mine = own(tmp_path, suffix, Means())

    card = prepare(mine)

    assert {"onnxruntime-fp32", "torch-fp32"} <= {choice.engine for choice in card.choices}
    assert load_model(mine).engine_name == card.choices[0].engine
    assert load_model(mine).class_ids == ("n02084071", "n02121808", None)


def test_an_engine_that_fails_at_a_network_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(network: bytes) -> OnnxEngine:
        raise RuntimeError("NOT_IMPLEMENTED")

    monkeypatch.setattr(preparation, "OnnxEngine", refuse)

    card = prepare(own(tmp_path, ".pt", Means()))

    assert {choice.engine for choice in card.choices} <= {"torch-fp32", "torch-bf16"}
    assert "onnxruntime-fp32 cannot run this network, and is passed over." in caplog.text


class Nothing(nn.Module):
    """Of each picture three times no number."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3)) * float("nan")


def test_a_network_whose_scores_are_no_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"PHOTOFLEET_LABEL_WEIGHTS: .*own.pt scores photographs with numbers that are"
    ):
        prepare(own(tmp_path, ".pt", Nothing()))


def test_probabilities_add_up_however_large_the_logits() -> None:
    assert softmax(np.array([[1000, 1000], [-1000, 0]], np.float32)).tolist() == [[0.5, 0.5], [0, 1]]


def test_the_sample_pictures_are_small_and_each_has_its_licence() -> None:
    found = list(samples())
    folder = Path(prepared.__file__).with_name("samples")
    licences = (folder / "LICENSES.md").read_text(encoding="utf-8")

    assert all(f"`{sample.name}.jpg`" in licences for sample in found)
    assert {sample.name for sample in found if sample.expected} == {"cat", "coffee", "rocket"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 600_000
