"""What `provision.sh` refuses before it touches a machine, and where it has its versions from.

What it makes of a machine is told by `make test-ami`, which bakes images.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from ami.release.roles import ROLES

AMI = Path(__file__).parents[2] / "ami"
PACKER = AMI / "packer"
VERSION = "0.1.0-0123456789ab"

needs_gpg = pytest.mark.skipif(
    not (shutil.which("gpg") and shutil.which("gpgv")), reason="there is no gpg to make signatures with, or no gpgv"
)


def versions() -> dict[str, str]:
    """What is in versions.env."""
    lines = (AMI / "versions.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def write_checksums(release: Path) -> None:
    files = (path for path in sorted(release.rglob("*")) if path.is_file() and path.name != "SHA256SUMS")
    lines = (f"{sha256(path.read_bytes()).hexdigest()}  {path.relative_to(release)}\n" for path in files)
    (release / "SHA256SUMS").write_text("".join(lines), encoding="ascii")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A whole release for the role web, for a Debian that no machine has: none is baked by mistake."""
    folder = tmp_path / f"photofleet-{VERSION}"
    shutil.copytree(AMI / "keys", folder / "ami" / "keys")
    shutil.copy(AMI / "provision.sh", folder / "ami")
    contents = {
        "ami/versions.env": re.sub("(?m)^DEBIAN_VERSION=.*", "DEBIAN_VERSION=0", (AMI / "versions.env").read_text()),
        "manifest.json": json.dumps({"version": VERSION, "commit": "0" * 40}, indent=2),
        "requirements/web.txt": "pictures==1.0\n",
        "wheels/pictures-1.0-py3-none-any.whl": "a wheel",
    }
    for name, text in contents.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    write_checksums(folder)
    return folder


def refusal(release: Path, *arguments: str) -> str:
    """Why a bake from this release is refused: the one sentence that it prints."""
    done = subprocess.run((release / "ami" / "provision.sh", *arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    (sentence,) = done.stderr.splitlines()
    assert re.fullmatch(r"provision\.sh: [A-Z/].*[^.]\.", sentence)
    return sentence.removeprefix("provision.sh: ")


def test_it_is_a_script() -> None:
    subprocess.run(("bash", "-n", AMI / "provision.sh"), check=True)


@pytest.mark.parametrize("arguments", [(), ("",), ("Web",), ("label",), ("resize label-cpu",), ("web", "resize")])
def test_a_role_that_is_none_is_refused_with_those_that_are(release: Path, arguments: tuple[str, ...]) -> None:
    assert refusal(release, *arguments) == f"Name one role to bake an image for: {', '.join(ROLES)}."


def _truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def _change_one_byte(file: Path) -> None:
    file.write_bytes(b"A" + file.read_bytes()[1:])


@pytest.mark.parametrize("damage", [_truncate, _change_one_byte, Path.unlink])
@pytest.mark.parametrize("name", ["wheels/pictures-1.0-py3-none-any.whl", "requirements/web.txt", "ami/versions.env"])
def test_a_damaged_release_is_refused_with_the_name_of_what_is_damaged(
    release: Path, name: str, damage: Callable[[Path], object]
) -> None:
    damage(release / name)
    assert refusal(release, "web").startswith(f"The release is damaged: {name} is not as SHA256SUMS says;")


def test_what_was_added_to_a_release_is_refused_by_its_name(release: Path) -> None:
    (release / "wheels" / "more.whl").symlink_to("/etc/hostname")
    assert "wheels/more.whl is not in SHA256SUMS" in refusal(release, "web")


def test_a_release_without_its_checksums_or_with_half_of_them_is_refused(release: Path) -> None:
    checksums = release / "SHA256SUMS"
    lines = checksums.read_text(encoding="ascii").splitlines(keepends=True)
    checksums.write_text("".join(lines[:-1]), encoding="ascii")
    assert "wheels/pictures-1.0-py3-none-any.whl is not in SHA256SUMS" in refusal(release, "web")
    checksums.unlink()
    assert "SHA256SUMS is missing" in refusal(release, "web")


def test_a_role_that_the_release_was_not_built_for_is_refused(release: Path) -> None:
    assert refusal(release, "resize").startswith("This release has no resize;")


def test_a_machine_that_is_no_base_image_is_left_alone(release: Path) -> None:
    said = refusal(release, "web")
    if os.geteuid() == 0:
        assert said.startswith("The role web is baked on debian 0 x86_64, and this is ")
    else:
        assert "run it with sudo" in said


class Agent:
    """One of Amazon's agents in a mirror, signed with a key of ours."""

    def __init__(self, release: Path, folder: Path) -> None:
        self.release, self.mirror, self.work = release, folder / "mirror", folder / "work"
        self.environment = os.environ | {"GNUPGHOME": str(folder / "gnupg"), "LC_ALL": "C.UTF-8"}
        for made in (self.mirror, self.work, folder / "gnupg"):
            made.mkdir(mode=0o700)
        self.package = self.mirror / "agent.deb"
        self.package.write_bytes(b"a package")

    def gpg(self, *words: str) -> str:
        done = subprocess.run(
            ("gpg", "--batch", "--quiet", *words), env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def sign(self, *, made: str = "20260101T000000", lasting: str = "never") -> str:
        """Sign the package with a new key, which is published beside it; return the key's fingerprint."""
        # gpg says on a line of its own that the time is not the real one.
        then = ("--faked-system-time", f"{made}!")
        self.gpg(*then, "--passphrase", "", "--quick-generate-key", "agents@example.com", "ed25519", "sign", lasting)
        self.gpg(*then, "--detach-sign", "--output", f"{self.package}.sig", str(self.package))
        self.gpg("--armor", "--export", "--output", str(self.mirror / "agent.asc"))
        listed = self.gpg("--list-keys", "--with-colons").splitlines()
        subprocess.run(("gpgconf", "--kill", "all"), env=self.environment, check=True)
        return next(line.split(":")[9] for line in listed if line.startswith("fpr:"))

    def install(self, fingerprint: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Have provision.sh install it, with a mirror and a package manager that do no more than they need to."""
        script = """
            source "$RELEASE_FOLDER/ami/provision.sh"
            fetch() { cp "$MIRROR/${1##*/}" "$2"; }
            apt() { echo "installed ${*: -1}"; }
            install_agent agent 1.0 "$FINGERPRINT" https://example.com/1.0 https://example.com/agent.asc
        """
        told = {"RELEASE_FOLDER": self.release, "MIRROR": self.mirror, "WORK": self.work, "FINGERPRINT": fingerprint}
        return subprocess.run(
            ("bash", "-c", script),
            env=os.environ | {name: str(value) for name, value in told.items()} | environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def agent(release: Path, tmp_path: Path) -> Agent:
    return Agent(release, tmp_path)


@needs_gpg
def test_an_agent_is_installed_if_it_is_signed_with_the_key_of_the_fingerprint(agent: Agent) -> None:
    assert agent.install(agent.sign()).stdout == f"installed {agent.work}/agent.deb\n"


@needs_gpg
def test_an_agent_can_still_be_verified_when_its_key_has_expired(agent: Agent) -> None:
    assert agent.install(agent.sign(made="20240101T000000", lasting="10d")).stdout.startswith("installed")


@needs_gpg
def test_an_agent_that_somebody_else_has_signed_is_refused(agent: Agent) -> None:
    signer, wanted = agent.sign(), "9" * 40
    refused = agent.install(wanted)
    assert f"is signed with {signer}, and not with {wanted}" in refused.stderr
    assert (refused.returncode, refused.stdout) == (1, "")


@needs_gpg
def test_an_agent_that_was_changed_on_its_way_is_refused(agent: Agent) -> None:
    fingerprint = agent.sign()
    agent.package.write_bytes(b"a package, and more")
    refused = agent.install(fingerprint)
    assert "The signature of https://example.com/1.0/agent.deb is not valid" in refused.stderr
    assert (refused.returncode, refused.stdout) == (1, "")


@needs_gpg
def test_a_company_may_have_its_own_keys(agent: Agent) -> None:
    agent.sign()
    assert agent.install("9" * 40, AGENTS_KEYS=str(agent.mirror)).stdout.startswith("installed")


@needs_gpg
def test_a_key_that_we_have_is_the_one_of_its_fingerprint(agent: Agent) -> None:
    listed = agent.gpg("--show-keys", "--with-colons", str(AMI / "keys" / "amazon-ssm-agent.asc"))
    assert f":{versions()['SSM_AGENT_KEY']}:" in listed


def test_versions_are_in_one_file_only() -> None:
    folders = (AMI / name for name in ("image", "image-label-gpu", "packer"))
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    for path in (AMI / "provision.sh", *files):
        text = path.read_text(encoding="utf-8")
        assert [value for value in versions().values() if len(value) > len("24.04") and value in text] == [], path
        assert not re.search(r"python3\.\d|bookworm|[Dd]ebian[- ]?\d|noble|24\.04", text), path


def test_packages_are_locked_for_the_python_that_the_base_image_has() -> None:
    pythons = {name: versions()["UBUNTU_PYTHON" if name == "label-gpu" else "DEBIAN_PYTHON"] for name in ROLES}
    assert {name: role.python for name, role in ROLES.items()} == pythons


@pytest.mark.parametrize("role", ROLES)
def test_packer_bakes_a_role_with_the_same_script(role: str) -> None:
    template = (PACKER / f"{role}.pkr.hcl").read_text(encoding="utf-8")
    assert re.findall(r"ami/provision\.sh ([^\"]+)\"", template) == [role]
    assert f'"TIER={role.split("-")[0]}"' in template
    assert ("amazon-ebs.deep_learning" if role == "label-gpu" else "amazon-ebs.debian") in template
    assert not re.search(r"ami-[0-9a-f]{8}|\d\.\d", template)


@pytest.mark.parametrize("role", ROLES)
def test_packer_brings_the_network_of_the_label_image_there_and_nowhere_else(role: str) -> None:
    template = (PACKER / f"{role}.pkr.hcl").read_text(encoding="utf-8")
    for line in (r"sources += concat\(.*, local\.weights\)", r"environment_vars += local\.network"):
        assert bool(re.search(line, template)) == role.startswith("label-")


def test_packer_has_a_template_for_each_role_and_takes_versions_from_their_file() -> None:
    assert {path.name for path in PACKER.iterdir()} == {"shared.pkr.hcl", *(f"{role}.pkr.hcl" for role in ROLES)}
    shared = (PACKER / "shared.pkr.hcl").read_text(encoding="utf-8")
    named = {*re.findall(r"local\.versions\.(\w+)", shared), *re.findall(r"\^(\w+)=", shared)}
    assert named == {"DEBIAN_OWNER", "DEBIAN_IMAGE", "UBUNTU_PARAMETER"}
    assert named <= set(versions())


def test_the_log_agent_is_told_what_the_user_data_tells() -> None:
    configuration = (AMI / "image/etc/photofleet/cloudwatch-agent.json").read_text(encoding="utf-8")
    assert json.loads(configuration)["metrics"]["namespace"] == "Photofleet"
    assert set(re.findall(r"@(\w+)@", configuration)) == {"STACK", "ROLE", "LOGS", "REGION"}


def test_cloud_init_asks_ec2_only_and_lets_nobody_in() -> None:
    (path,) = (AMI / "image/etc/cloud/cloud.cfg.d").iterdir()
    configuration = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert configuration["datasource_list"] == ["Ec2"]
    modules = [name for key, names in configuration.items() if key.endswith("_modules") for name in names]
    assert set(modules) == {"write-files", "growpart", "resizefs", "set_hostname"}
