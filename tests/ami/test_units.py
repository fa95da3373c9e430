"""The units, as systemd itself judges them: what it does not understand, and what a service is kept from."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from tests.cloudformation.rules.rule import documents
from webapp import gunicorn_config
from workers.drain.timing import Timing

AMI = Path(__file__).parents[2] / "ami"
UNITS = AMI / "image/etc/systemd/system"
SERVICES = sorted(path.name for path in UNITS.glob("photofleet-*.service"))
COMMON = UNITS / "photofleet-.service.d/hardening.conf"
MOST_EXPOSED = 25
"""In tenths, for `systemd-analyze security`."""

AGENT = "amazon-cloudwatch-agent.service"

AGENTS_OWN = """
[Unit]
Description=Amazon CloudWatch Agent
After=network.target

[Service]
Type=simple
ExecStart=/opt/aws/amazon-cloudwatch-agent/bin/start-amazon-cloudwatch-agent
KillMode=process
Restart=on-failure
RestartSec=60s

[Install]
WantedBy=multi-user.target
"""
"""Amazon's unit, as its package has it, for which there is a drop-in."""

PACKAGES = {"gunicorn": "gunicorn", "celery": "celery", "photofleet": "photofleet.cli"}
"""The module behind each program of the environment in the image."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None or not Path("/usr/lib/systemd/system").is_dir(),
    reason="systemd is not installed here, which judges its own units.",
)


@pytest.fixture(params=["cpu", "gpu"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A root folder with our units among the system's, and an empty file for every program that they start."""
    shutil.copytree(AMI / "image", tmp_path, dirs_exist_ok=True)
    if request.param == "gpu":
        shutil.copytree(AMI / "image-label-gpu", tmp_path, dirs_exist_ok=True)
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    (tmp_path / "etc/systemd/system" / AGENT).write_text(AGENTS_OWN)
    for path in (tmp_path / "etc/systemd/system").glob("*.service"):
        for command in commands(path):
            program = tmp_path / command[0].lstrip("/")
            program.parent.mkdir(parents=True, exist_ok=True)
            program.touch()
            program.chmod(0o755)
    return tmp_path


def unit(name: str) -> ConfigParser:
    """What a unit's own file says; of a key that is there twice, the last value."""
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    text = (UNITS / name).read_text(encoding="utf-8")
    parser.read_string(text.replace("\\\n", " "))
    return parser


def commands(service: Path) -> Iterator[list[str]]:
    """The words of every command in a service's own file."""
    text = service.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in re.findall(r"^Exec\w+=(.+)$", text, re.MULTILINE):
        yield line.split()


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(("systemd-analyze", *words), capture_output=True, text=True, timeout=60, check=False)


def verify(root: Path) -> str:
    """What systemd complains of in our units."""
    names = sorted(path.name for path in (root / "etc/systemd/system").iterdir() if path.is_file())
    done = analyze("verify", f"--root={root}", "--man=no", *names)
    return done.stdout + done.stderr + ("" if done.returncode == 0 else f"It ended with {done.returncode}.")


def filtered(words: list[str]) -> set[str]:
    """The system calls that these names and groups stand for."""
    calls = {word for word in words if not word.startswith("@")}
    for group in set(words) - calls:
        listed = analyze("syscall-filter", "--no-pager", group).stdout.splitlines()[1:]
        calls |= filtered([word for line in listed if (word := line.strip()) and not word.startswith("#")])
    return calls


def system_calls(service: str) -> set[str]:
    """What the filters of a service let through, which systemd reads one after the other, and adds or takes away."""
    allowed: set[str] = set()
    for path in (COMMON, *sorted((UNITS / f"{service}.d").glob("*.conf"))):
        for words in re.findall(r"^SystemCallFilter=(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE):
            if words.startswith("~"):
                allowed -= filtered(words.removeprefix("~").split())
            else:
                allowed |= filtered(words.split())
    return allowed


def exposure(root: Path, service: str) -> subprocess.CompletedProcess[str]:
    options = ("--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager")
    return analyze("security", f"--root={root}", *options, service)


@needs_systemd
def test_systemd_has_nothing_to_complain_of(root: Path) -> None:
    assert verify(root) == ""


@needs_systemd
@pytest.mark.parametrize(("right", "wrong"), [("MemoryMax=", "MemoryMaximum="), ("/bin/gunicorn", "/bin/unicorn")])
def test_what_systemd_does_not_understand_is_found(root: Path, right: str, wrong: str) -> None:
    path = root / "etc/systemd/system/photofleet-web.service"
    path.write_text(path.read_text().replace(right, wrong))

    assert wrong.rstrip("=") in verify(root)


@needs_systemd
@pytest.mark.parametrize("service", [*SERVICES, AGENT])
def test_a_service_is_exposed_little(root: Path, service: str) -> None:
    done = exposure(root, service)

    assert done.returncode == 0, done.stdout + done.stderr


@needs_systemd
def test_a_service_that_nothing_is_kept_from_is_found(root: Path) -> None:
    (root / COMMON.relative_to(AMI / "image")).unlink()

    assert exposure(root, "photofleet-resize.service").returncode != 0


@needs_systemd
def test_the_sandbox_for_decoders_gets_the_system_calls_that_it_needs_and_decoders_none_that_spy() -> None:
    allowed = system_calls("photofleet-resize.service")

    assert allowed >= {"landlock_create_ruleset", "landlock_restrict_self", "pidfd_open", "prctl", "prlimit64"}
    assert not allowed & {"ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd"}


def test_whatever_is_allowed_after_all_is_read_last() -> None:
    folders = (AMI / "image", AMI / "image-label-gpu")
    exceptions = [path for folder in folders for path in folder.rglob("photofleet-*.service.d/*") if path != COMMON]

    assert exceptions
    assert all(path.name > COMMON.name for path in exceptions)


def test_every_program_of_ours_is_there() -> None:
    for service in SERVICES:
        for program, *words in commands(UNITS / service):
            modules = [PACKAGES[Path(program).name]] if Path(program).name in PACKAGES else []
            modules += [value for option, value in pairwise(words) if option in ("-m", "--app")]
            modules += [
                found[1] for word in words if (found := re.fullmatch(r"(?:python:)?(webapp[.\w]+)(?::app)?", word))
            ]
            assert all(map(find_spec, modules)), (service, modules)


def test_the_log_follows_every_service_but_itself() -> None:
    (command,) = commands(UNITS / "photofleet-log.service")
    followed = {word.removeprefix("--unit=").replace("*", "") for word in command if word.startswith("--unit=")}

    assert followed == set(SERVICES) - {"photofleet-log.service"}


def test_nothing_is_killed_before_its_own_time_to_end_is_over() -> None:
    def stop_seconds(service: str) -> float:
        return float(unit(service)["Service"]["TimeoutStopSec"])

    resources = documents()["web.yaml"]["Resources"]
    deregistration = next(
        float(attribute["Value"])
        for attribute in resources["UploadTargetGroup"]["Properties"]["TargetGroupAttributes"]
        if attribute["Key"] == "deregistration_delay.timeout_seconds"
    )
    (upload, *_) = commands(UNITS / "photofleet-upload.service")
    graceful = float(upload[upload.index("--graceful-timeout") + 1])
    assert stop_seconds("photofleet-web.service") > gunicorn_config.graceful_timeout
    assert stop_seconds("photofleet-upload.service") > graceful >= deregistration
    for fleet in ("resize", "label"):
        assert stop_seconds(f"photofleet-{fleet}.service") > Timing().kill


def test_the_ports_are_those_of_the_target_groups() -> None:
    resources = documents()["web.yaml"]["Resources"]
    for socket, group in (("web", "TargetGroup"), ("upload", "UploadTargetGroup")):
        port = resources[group]["Properties"]["Port"]
        assert unit(f"photofleet-{socket}.socket")["Socket"]["ListenStream"] == f"0.0.0.0:{port}"
