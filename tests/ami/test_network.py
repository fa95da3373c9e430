"""What `provision.sh` makes of the network that an image of the label fleet is to label with."""

import os
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from ami.boot.files import read_variables
from photofleet.local.aws import EmbeddedAWS
from photofleet.settings import LabelSettings
from photofleet.stack import Clients
from tests.workers.label.test_own import Means, written
from workers.label.models import Model, load_model

SCRIPT = Path(__file__).parents[2] / "ami" / "provision.sh"
BUCKET = "example-models"


class Image:
    """A folder that is an image's /opt/photofleet, with our programs in it."""

    def __init__(self, folder: Path) -> None:
        self.home, self.script = folder / "photofleet", folder / "provision.sh"
        self.script.write_text(SCRIPT.read_text().replace("HOME_FOLDER=/opt/photofleet", f"HOME_FOLDER={self.home}"))
        program = self.home / "venv/bin/photofleet"
        program.parent.mkdir(parents=True)
        program.symlink_to(Path(sys.executable).with_name("photofleet"))

    def install_network(self, settings: Mapping[str, str], role: str = "label-cpu") -> subprocess.CompletedProcess[str]:
        """Have its network made ready."""
        steps = f'source "{self.script}"; ROLE={role}; check_weights; install_network'
        return subprocess.run(
            ("bash", "-c", steps), env=os.environ | settings, capture_output=True, text=True, check=False
        )

    @property
    def settings(self) -> dict[str, str]:
        """What it says of the network, as the boot reads it."""
        return read_variables(self.home / "label.env")


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path)


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A network of one's own, where a bake finds it."""
    folder = tmp_path / "given"
    folder.mkdir()
    return written(folder, ".pt", Means())


def named(path: Path, weights: str) -> dict[str, str]:
    """The settings of a bake with that network."""
    return {
        "PHOTOFLEET_LABEL_MODEL": "mine",
        "PHOTOFLEET_LABEL_WEIGHTS": weights,
        "PHOTOFLEET_LABEL_WEIGHTS_SHA256": sha256(path.read_bytes()).hexdigest(),
    }


def load(image: Image) -> Model:
    """Load the network of an image with what is in it, and nothing else."""
    settings = {name.removeprefix("PHOTOFLEET_").lower(): value for name, value in image.settings.items()}
    return load_model(LabelSettings.model_validate(settings))


def test_the_image_has_the_network_that_its_bake_was_given(image: Image, given: Path) -> None:
    done = image.install_network(named(given, str(given)))

    assert done.returncode == 0, done.stdout + done.stderr
    for path in given.parent.iterdir():
        path.unlink()
    model = load(image)
    assert model.class_ids == ("n02084071", "n02121808", None)
    assert f"Chosen: {model.engine_name}" in done.stdout
    assert f"Model: {model.source}," in done.stdout, "it was checked"
    assert {path.stat().st_mode & 0o777 for path in image.home.rglob("own.*")} == {0o644}


def test_a_network_in_s3_is_fetched_by_the_bake_alone_and_for_a_gpu_not_prepared(
    image: Image, given: Path, aws: EmbeddedAWS, clients: Clients
) -> None:
    s3 = clients("s3")
    s3.create_bucket(Bucket=BUCKET)
    for path in given.parent.iterdir():
        s3.upload_file(str(path), BUCKET, path.name)

    settings = named(given, f"s3://{BUCKET}/{given.name}")
    done = image.install_network(settings | aws.client_environment(), "label-gpu")

    assert done.returncode == 0, done.stdout + done.stderr
    for path in given.parent.iterdir():
        s3.delete_object(Bucket=BUCKET, Key=path.name)
    s3.delete_bucket(Bucket=BUCKET)
    assert f"Model: {load(image).source}," in done.stdout
    assert [path.name for path in (image.home / "models").iterdir()] == ["weights"]


def test_another_role_has_no_network(image: Image, given: Path) -> None:
    (image.home / "models").mkdir()

    assert image.install_network(named(given, str(given)), "web").returncode == 0
    assert {path.name for path in image.home.iterdir()} == {"venv"}


def test_a_bake_stops_with_weights_that_are_others_than_it_was_told(image: Image, given: Path) -> None:
    done = image.install_network(named(given, str(given)) | {"PHOTOFLEET_LABEL_WEIGHTS_SHA256": 64 * "0"})

    assert done.returncode == 1
    assert "PHOTOFLEET_LABEL_WEIGHTS: " in done.stderr


@pytest.mark.parametrize("weights", ["own.pt", "/absent/own.pt", "s3:own.pt", "/"])
def test_weights_that_are_no_file_are_refused_at_once(image: Image, weights: str) -> None:
    done = image.install_network({"PHOTOFLEET_LABEL_WEIGHTS": weights})

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"provision.sh: PHOTOFLEET_LABEL_WEIGHTS={weights} is no file here;")
