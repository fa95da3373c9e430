import hashlib
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from photofleet.settings import LabelSettings
from workers.label.models import Model, ModelError, load_model

DESCRIPTION = """
size = 8
crop = 0.9
resampling = "bilinear"
mean = [0, 100, 200]
deviation = [1, 2, 4]
"""


class Means(nn.Module):
    """Of each picture the means of its channels."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))


class MeansAndMore(nn.Module):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        means = images.mean(dim=(2, 3))
        return means, torch.cat([means, -means], dim=1)


def written(folder: Path, suffix: str, network: nn.Module, labels: str = "dog\nn02121808\n-\n") -> Path:
    """A file of a network of one's own, with what belongs beside it."""
    path = folder / f"own{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if suffix == ".pt":
            torch.jit.script(network).save(path)
        else:
            images = torch.zeros(2, 3, 8, 8)
            torch.export.save(
                torch.export.export(network, (images,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)), path
            )
    path.with_suffix(".toml").write_text(DESCRIPTION, encoding="utf-8")
    path.with_suffix(".txt").write_text(labels, encoding="utf-8")
    return path


def load(path: Path, sha256: str | None = None) -> Model:
    return load_model(
        LabelSettings(
            label_model="mine",
            label_weights=str(path),
            label_weights_sha256=sha256 or hashlib.sha256(path.read_bytes()).hexdigest(),
            label_device="cpu",
            label_cache=path.parent / "cache",
        )
    )


@pytest.mark.parametrize("suffix", [".pt", ".pt2"])
def test_a_network_of_ones_own_labels_with_what_lies_beside_it(tmp_path: Path, suffix: str) -> None:
    model = load(written(tmp_path, suffix, Means()))

    scores = model.classify(np.full((3, 8, 8, 3), (10, 110, 220), np.uint8))

    assert model.name == "mine"
    assert model.class_ids == ("n02084071", "n02121808", None)
    assert scores.logits.tolist() == [[10, 5, 5]] * 3
    assert scores.embeddings.tolist() == scores.logits.tolist()


def test_a_network_may_return_its_embedding_beside_its_logits(tmp_path: Path) -> None:
    model = load(written(tmp_path, ".pt", MeansAndMore()))

    scores = model.classify(np.full((1, 8, 8, 3), (10, 110, 220), np.uint8))

    assert scores.embeddings.tolist() == [[10, 5, 5, -10, -5, -5]]


def test_a_file_that_is_code_needs_its_sha256_in_the_settings(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"PHOTOFLEET_LABEL_WEIGHTS_SHA256 must be set, as a .pt or .pt2 file is code"):
        LabelSettings(label_model="mine", label_weights=str(tmp_path / "own.pt"))


def test_a_file_that_is_code_is_not_run_if_it_is_another(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="and not the 0000"):
        load(written(tmp_path, ".pt", Means()), sha256=64 * "0")


@pytest.mark.parametrize(("suffix", "kind"), [(".pt", "TorchScript"), (".pt2", "torch.export.save")])
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, suffix: str, kind: str) -> None:
    path = written(tmp_path, suffix, Means())
    path.write_bytes(b"no network")

    with pytest.raises(ModelError, match=f"own{suffix} is no .*{kind}"):
        load(path)


@pytest.mark.parametrize(("suffix", "loader"), [(".pt", torch.jit), (".pt2", torch.export)])
def test_memory_that_is_full_is_not_blamed_on_the_file(
    tmp_path: Path, suffix: str, loader: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: object) -> None:
        raise MemoryError

    path = written(tmp_path, suffix, Means())
    monkeypatch.setattr(loader, "load", fill)

    with pytest.raises(MemoryError):
        load(path)


@pytest.mark.parametrize("suffix", [".toml", ".txt"])
def test_what_is_missing_beside_the_file_is_named(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, ".pt", Means())
    path.with_suffix(suffix).unlink()

    with pytest.raises(ModelError, match=f"own{suffix} cannot be read: No such file"):
        load(path)


@pytest.mark.parametrize("text", ["size = 8", "size = ", DESCRIPTION.replace("0.9", "9")])
def test_a_description_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, ".pt", Means())
    path.with_suffix(".toml").write_text(text, encoding="utf-8")

    with pytest.raises(ModelError, match=r"own.toml cannot be used: "):
        load(path)


def test_a_line_that_is_no_label_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"own.txt, line 2: 'unicorn dung' is no label of the taxonomy"):
        load(written(tmp_path, ".pt", Means(), "dog\nunicorn dung\n-\n"))


def test_another_number_of_labels_than_of_outputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"own.pt has 3 outputs, where .*own.txt has 2 lines"):
        load(written(tmp_path, ".pt", Means(), "dog\ncat\n"))


def test_a_network_that_takes_one_picture_only_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ".pt2", Means())
    torch.export.save(torch.export.export(Means(), (torch.zeros(1, 3, 8, 8),)), path)

    with pytest.raises(ModelError, match=r"own.pt2 does not take two pictures .* dynamic first dimension"):
        load(path)
