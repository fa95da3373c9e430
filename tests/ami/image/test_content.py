"""What is in an image, and what is not."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.ami.image.bake import Image, files
from tests.ami.image.conftest import Note

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=["web", "resize", "label"])
def baked(request: pytest.FixtureRequest) -> Image:
    """The image of each role that a machine without a GPU can boot."""
    image: Image = request.getfixturevalue(f"{request.param}_image")
    return image


def test_an_image_says_what_it_is(baked: Image, note: Note) -> None:
    manifest = json.loads((baked.root / "opt/photofleet/manifest.json").read_text(encoding="utf-8"))
    note(f"{baked.role}: baked in {baked.seconds:.0f} s, {baked.megabytes():,.0f} MB")

    assert (baked.root / "opt/photofleet/role").read_text(encoding="ascii").strip() == baked.role
    for name in ("version", "baked"):
        assert (baked.root / "opt/photofleet" / name).read_text(encoding="ascii").strip() == manifest["version"]
    assert (baked.root / "opt/photofleet/sbom.cdx.json").exists()


def test_the_label_image_brings_its_network_ready(label_image: Image) -> None:
    settings = (label_image.root / "opt/photofleet/label.env").read_text(encoding="utf-8").split()

    assert settings == ["PHOTOFLEET_LABEL_CACHE=/opt/photofleet/models"]
    # Looked at from outside: `photofleet models list` would leave a folder of torch's in the image.
    prepared = (label_image.root / "opt/photofleet/models/prepared").iterdir()
    assert [folder.name.partition("-")[0] for folder in prepared] == ["efficientnet_lite2"]


def test_what_is_installed_is_what_is_locked_and_nothing_else(baked: Image) -> None:
    code = "import importlib.metadata as m; print('\\n'.join(f'{d.name}=={d.version}' for d in m.distributions()))"
    installed = {
        line.lower().replace("_", "-")
        for line in baked.run("/opt/photofleet/venv/bin/python", "-c", code).stdout.splitlines()
    }
    locked = {
        line.split()[0].lower().replace("_", "-")
        for line in (ROOT / f"requirements/{baked.role}.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    }

    assert {name for name in installed if not name.startswith("photofleet==")} <= locked
    assert any(name.startswith("photofleet==") for name in installed)
    assert any(name.startswith("torch==") for name in installed) == baked.role.startswith("label")


def test_everything_of_ours_belongs_to_root_and_nobody_else_may_change_it(baked: Image) -> None:
    places = [str(baked.root / place) for place in ("opt", "etc", "usr")]
    changeable = subprocess.run(
        ("find", *places, "-xdev", "!", "-type", "l", "(", "-perm", "/022", "-o", "!", "-user", "root", ")"),
        capture_output=True,
        text=True,
        check=True,
    )

    assert changeable.stdout.splitlines() == []


def test_nobody_may_write_anywhere_but_into_the_folders_for_that(baked: Image) -> None:
    writable = files(baked.root, "-type", "d", "-perm", "-002")

    assert set(writable) <= {"/tmp", "/var/tmp", "/var/lock", "/run/lock", "/dev/shm", "/dev/mqueue"}  # noqa: S108
    assert files(baked.root, "-type", "d", "-perm", "-002", "!", "-perm", "-1000") == []
    assert files(baked.root, "-type", "f", "-perm", "-002") == []


def test_nothing_is_left_to_build_or_to_install_with(baked: Image) -> None:
    programs = (f"-name {name}" for name in ("cc", "gcc*", "g++*", "clang*", "make", "ld", "as", "pip*"))
    tools = files(baked.root, "-path", "*/bin/*", "(", *" -o ".join(programs).split(), ")")
    packages = baked.run("dpkg-query", "--show", "--showformat", "${Package}\\n").stdout.split()

    assert tools == []
    assert [package for package in packages if package.endswith("-dev")] == []


def test_no_key_and_no_trace_of_the_bake_is_left(baked: Image) -> None:
    # A library may have the words among its own; a key is text.
    search = ("grep", "-rIl", "--devices=skip", "^-----BEGIN .*PRIVATE KEY-----")
    places = (str(baked.root / place) for place in ("etc", "root", "home", "opt", "var"))
    keys = subprocess.run((*search, *places), capture_output=True, text=True, check=False)
    homes = [*files(baked.root, "-path", "*/root/*"), *files(baked.root, "-path", "*/home/*")]
    lists = files(baked.root, "-path", "*/var/lib/apt/lists/*", "-type", "f")

    assert keys.stdout.splitlines() == []
    assert files(baked.root, "-name", "ssh_host_*") == []
    assert {Path(path).name for path in homes} <= {".bashrc", ".profile"}
    assert [path for path in lists if not path.endswith("/lock")] == []
    assert (baked.root / "etc/machine-id").read_text(encoding="ascii") == ""
    assert [*(baked.root / "tmp").iterdir(), *(baked.root / "var/tmp").iterdir()] == []


def test_nobody_comes_in_by_ssh(baked: Image) -> None:
    for unit in ("ssh.service", "ssh.socket"):
        assert baked.run("systemctl", "is-enabled", unit, check=False).stdout.strip() in ("masked", "disabled", "")
    passwords = (baked.root / "etc/shadow").read_text(encoding="ascii").splitlines()
    assert [line for line in passwords if not line.split(":")[1].startswith(("!", "*"))] == []


def test_nothing_is_fetched_or_changed_behind_the_operators_back(baked: Image) -> None:
    enabled = baked.run("systemctl", "list-unit-files", "--state=enabled", "--type=timer", "--no-legend").stdout

    assert [name for name in ("apt-daily", "unattended", "dpkg-db-backup", "man-db") if name in enabled] == []


def test_the_agents_of_amazon_are_there(baked: Image) -> None:
    for package in ("amazon-ssm-agent", "amazon-cloudwatch-agent"):
        assert baked.run("dpkg-query", "--show", "--showformat", "${Status}", package).stdout == "install ok installed"


def test_the_units_make_sense_to_systemd(baked: Image) -> None:
    target = f"photofleet-{baked.role.partition('-')[0]}.target"
    wanted = re.findall(r"photofleet-[a-z]+\.[a-z]+", (baked.root / "etc/systemd/system" / target).read_text("utf-8"))
    units = ("photofleet-boot.service", "photofleet-log.service", target, *wanted)

    verified = baked.run("systemd-analyze", "verify", "--man=no", *units, check=False)

    assert [line for line in verified.stdout.splitlines() if "photofleet" in line] == []
    assert baked.run("systemctl", "is-enabled", "photofleet-boot.service").stdout.strip() == "enabled"
