import os
import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from photofleet.catalog.taxonomy import load_taxonomy
from workers.label.classifier import Classifier, ClassifierError, load_classifier
from workers.label.labels import top_labels


def sample(name: str) -> Image.Image:
    """One of scikit-image's pictures."""
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.submodule_search_locations
    with Image.open(Path(spec.submodule_search_locations[0], "data", name)) as image:
        return image.convert("RGB")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier(device="cpu")


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with weights for torchvision's mobilenet_v3_small, which know nothing."""
    from workers.label.torchvision_models import torchvision

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "mobilenet.pth"
    torch.save(torchvision.models.mobilenet_v3_small(weights=None).state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("chelsea.png", {"cat", "animal"}),
        ("coffee.png", {"coffee"}),
        ("rocket.jpg", {"rocket"}),
        ("motorcycle_left.png", {"motorcycle", "vehicle"}),
    ],
)
def test_the_default_network_sees_what_is_in_a_picture(
    classifier: Classifier, picture: str, expected: set[str]
) -> None:
    taxonomy = load_taxonomy()

    (scores,) = classifier.classify([sample(picture)])

    ids = {label.label_id for label in top_labels(scores, threshold=0.05, limit=5)}
    ids.update(*(taxonomy.ancestors(label_id) for label_id in tuple(ids)))
    assert expected <= {taxonomy[label_id].name for label_id in ids}


def test_the_default_network_is_as_sure_as_when_it_was_first_tried(classifier: Classifier) -> None:
    cat, coffee = classifier.classify([sample("chelsea.png"), sample("coffee.png")])

    # Swapped colours or another normalisation cost 0.06 at least.
    assert (cat[285], coffee[967]) == pytest.approx((0.563, 0.892), abs=0.03)


def test_the_default_network_is_named_with_the_version_of_its_weights(classifier: Classifier) -> None:
    assert (classifier.name, classifier.version) == ("efficientnet_lite2", "9656183eaeaf")


def test_scores_are_probabilities(classifier: Classifier) -> None:
    scores = classifier.classify([sample("coffee.png"), Image.new("RGB", (1, 1)), Image.new("RGB", (3000, 1))])

    assert scores.shape == (3, 1000)
    assert scores.dtype == np.float32
    assert (scores >= 0).all()
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_a_picture_scores_the_same_alone_and_among_others(classifier: Classifier) -> None:
    pictures = [sample("chelsea.png"), sample("rocket.jpg"), Image.new("RGB", (5, 700), "red")]

    together = classifier.classify(pictures)

    for picture, scores in zip(pictures, together, strict=True):
        np.testing.assert_allclose(classifier.classify([picture])[0], scores, rtol=1e-3, atol=1e-5)


def test_a_torchvision_model_loads_from_a_file(mobilenet: Path) -> None:
    classifier = load_classifier("mobilenet_v3_small", mobilenet, "cpu")

    scores = classifier.classify([sample("chelsea.png"), sample("coffee.png")])

    assert classifier.name == "mobilenet_v3_small"
    assert scores.shape == (2, 1000)
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_a_torchvision_model_scores_as_torchvision_itself_would(mobilenet: Path) -> None:
    from workers.label.torchvision_models import torchvision

    published = torchvision.models.MobileNet_V3_Small_Weights.DEFAULT
    network = torchvision.models.mobilenet_v3_small(weights=None).eval()
    network.load_state_dict(torch.load(mobilenet, weights_only=True))
    picture = sample("chelsea.png").crop((0, 0, 384, 256))  # of a size at which both crop at whole pixels
    with torch.inference_mode():
        expected = network(published.transforms()(picture)[None]).softmax(dim=1)[0]

    (scores,) = load_classifier("mobilenet_v3_small", mobilenet, "cpu").classify([picture])

    np.testing.assert_allclose(scores, expected, rtol=1e-3)


def test_preprocessing_is_that_of_the_published_weights_in_the_file() -> None:
    from workers.label.torchvision_models import preprocessing

    first, newest = preprocessing("resnet50", "0676ba61" + 56 * "0"), preprocessing("resnet50", 64 * "0")

    assert (first.size, first.short_side) == (224, 256)
    assert (newest.size, newest.short_side) == (224, 232)


def test_a_model_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ClassifierError, match=r"PHOTOFLEET_LABEL_MODEL=clairvoyant is neither .* mobilenet_v3_small"):
        load_classifier("clairvoyant", None, "cpu")


def test_a_model_of_torchvision_that_does_not_classify_is_refused(mobilenet: Path) -> None:
    with pytest.raises(ClassifierError, match="PHOTOFLEET_LABEL_MODEL=fcn_resnet50 is neither"):
        load_classifier("fcn_resnet50", mobilenet, "cpu")


def test_a_torchvision_model_without_weights_is_refused() -> None:
    with pytest.raises(ClassifierError, match="set PHOTOFLEET_LABEL_WEIGHTS to its path"):
        load_classifier("mobilenet_v3_small", None, "cpu")


@pytest.mark.parametrize("model", ["efficientnet_lite2", "resnet18"])
def test_weights_of_another_model_are_refused(mobilenet: Path, model: str) -> None:
    with pytest.raises(ClassifierError, match=f"PHOTOFLEET_LABEL_WEIGHTS: .*mobilenet.pth does not fit .*={model}"):
        load_classifier(model, mobilenet, "cpu")


@pytest.mark.parametrize("model", ["efficientnet_lite2", "resnet18"])
def test_a_missing_weights_file_is_named(tmp_path: Path, model: str) -> None:
    with pytest.raises(ClassifierError, match=r"PHOTOFLEET_LABEL_WEIGHTS: .*absent.pth cannot be read: No such file"):
        load_classifier(model, tmp_path / "absent.pth", "cpu")


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04" + bytes(100), bytes(1000)])
def test_a_file_that_torch_did_not_save_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)

    with pytest.raises(ClassifierError, match="is no state dict that torch saved"):
        load_classifier(weights=path)


def test_a_truncated_file_is_refused(tmp_path: Path, mobilenet: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(mobilenet.read_bytes()[:100_000])

    with pytest.raises(ClassifierError, match="is no state dict that torch saved"):
        load_classifier("mobilenet_v3_small", path)


@pytest.mark.parametrize("thing", [[1, 2], {"epoch": 3}, {3: torch.zeros(1)}])
def test_a_file_with_something_else_in_it_is_refused(tmp_path: Path, thing: object) -> None:
    path = tmp_path / "weights.pth"
    torch.save(thing, path)

    with pytest.raises(ClassifierError, match="holds something else than a state dict"):
        load_classifier(weights=path)


class _Trap:
    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (self.sprung,)


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    path, sprung = tmp_path / "weights.pth", tmp_path / "sprung"
    torch.save({"weight": _Trap(sprung)}, path, pickle_module=pickle)

    with pytest.raises(ClassifierError, match="is no state dict that torch saved"):
        load_classifier(weights=path)
    assert not sprung.exists()


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ClassifierError, match="PHOTOFLEET_LABEL_DEVICE=cuda:99 cannot be used"):
        load_classifier(device="cuda:99")


def test_auto_takes_cuda_where_there_is_any_and_the_processor_elsewhere() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"

    assert load_classifier(device="auto").device.type == expected


def test_a_process_uses_one_thread_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    torch.set_num_threads(2)
    load_classifier(device="cpu")
    assert torch.get_num_threads() == 2

    monkeypatch.delenv("OMP_NUM_THREADS")
    load_classifier(device="cpu")
    assert torch.get_num_threads() == 1
