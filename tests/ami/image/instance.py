"""An instance: a copy of an image, booted with its own init system, in namespaces of its own, on a cloud."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.ami.image.bake import PATH, Image
from tests.ami.image.cloud import Cloud
from tests.ami.image.metadata import Identity
from tests.ami.image.namespaces import NETWORK, cable, hardware_address, plug_in

PATIENCE_S = 120.0

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
"""What makes a terminal's text colourful."""


class Instance:
    """A machine that boots, runs, and ends."""

    def __init__(self, name: str, identity: Identity, root: Path, process: subprocess.Popen[bytes], console: Path):
        self.name = name
        self.instance_id = identity.instance_id
        self.address = identity.address
        self.root = root
        self.started = time.monotonic()
        self._process = process
        self._console = console

    @property
    def console(self) -> str:
        """What was written to its console."""
        text = self._console.read_text(encoding="utf-8", errors="replace")
        lines = (CONTROL.sub("", line).strip() for line in text.splitlines())
        return "\n".join(line for line in lines if line)

    def is_on(self) -> bool:
        """Say whether it has not been powered off."""
        return self._process.poll() is None

    def init(self) -> int:
        """Return the process that is its init system."""
        (found,) = psutil.Process(self._process.pid).children()
        return found.pid

    def has_network(self) -> bool:
        """Say whether its namespaces have been made."""
        with suppress(ValueError, psutil.Error, OSError):
            return not Path(f"/proc/{self.init()}/ns/net").samefile("/proc/thread-self/ns/net")
        return False

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program on it, as root."""
        enter = ("nsenter", "--all", "--target", str(self.init()), "--")
        plain = {"PATH": PATH, "LANG": "C.UTF-8"}
        return subprocess.run((*enter, *command), env=plain, capture_output=True, text=True, check=False, timeout=60)

    def wait_until(self, happened: Callable[[], bool], what: str, patience: float = PATIENCE_S) -> float:
        """Wait until something has happened, and return the seconds since the boot began.

        Raises:
            AssertionError: it did not happen in time; with the console and the journal.
        """
        deadline = time.monotonic() + patience
        while not happened():
            assert time.monotonic() < deadline, f"{what}: not after {patience} s.\n{self.report()}"
            assert self.is_on() or happened(), f"{what}: it is powered off.\n{self.report()}"
            time.sleep(0.1)
        return time.monotonic() - self.started

    def wait_until_off(self) -> float:
        """Wait until it has been powered off, and return the seconds since the boot began."""
        return self.wait_until(lambda: not self.is_on(), "it is powered off")

    def report(self) -> str:
        """Return what its console and its journal say."""
        journal = ""
        if self.is_on():
            with suppress(subprocess.SubprocessError, ValueError, psutil.Error):
                journal = self.run("journalctl", "--no-pager", "--lines=100", "--output=cat").stdout
        return f"The console:\n{self.console[-6000:]}\nThe journal:\n{journal[-12000:]}"


@contextmanager
def instance(
    cloud: Cloud,
    image: Image,
    number: int,
    folder: Path,
    *,
    tier: str | None = None,
    signals: str | None = None,
    change: Callable[[str], str] = lambda user_data: user_data,
    prepare: Callable[[Path], None] = lambda root: None,
    options: Sequence[str] = (),
) -> Iterator[Instance]:
    """Start an instance, and switch it off when the block ends.

    Args:
        cloud: Where it is.
        image: What it boots.
        number: The last part of its address.
        folder: Where its files are; they are removed at the end.
        tier: Which tier launches it, that of the image's role unless it is said.
        signals: The stack that waits for its signal, if not the one that its user data name.
        change: Changes its user data.
        prepare: Changes its files.
        options: Of systemd-nspawn.
    """
    tier = tier or image.role.partition("-")[0]
    root, console = folder / "root", folder / "console"
    folder.mkdir(parents=True)
    subprocess.run(("cp", "--archive", "--reflink=auto", str(image.root), str(root)), check=True)
    name, address = f"{cloud.network}-{number}", f"{NETWORK}.{number}"
    _tell_of_the_cloud(root, cloud)
    prepare(root)
    user_data = cloud.user_data(tier)
    if signals:
        user_data = _with_line(user_data, "SIGNAL_STACK", signals)
    interface = {f"network/interfaces/macs/{hardware_address(number)}/device-number": "0"}
    identity = Identity(f"i-{number:017x}", address, change(user_data), *cloud.keys(tier), values=interface)
    cloud.metadata.introduce(identity)
    try:
        with (
            cable(cloud.network, number) as plug,
            _control_group(name) as in_group,
            console.open("wb") as output,
        ):
            hypervisor = f"--bind-ro={_hypervisor(folder)}:/sys/hypervisor"
            command = (*in_group, *_nspawn(root, name), hypervisor, *options)
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
            machine = Instance(name, identity, root, process, console)
            try:
                machine.wait_until(machine.has_network, "it has a network to be plugged into")
                plug_in(cloud.network, plug, machine.init())
                yield machine
            finally:
                _switch_off(process)
    finally:
        cloud.metadata.forget(address)
        shutil.rmtree(root)


def _tell_of_the_cloud(root: Path, cloud: Cloud) -> None:
    """Write what a machine on AWS has no need of: it finds AWS by its names, and trusts who signs its databases."""
    (root / "etc/photofleet/local.env").write_text(f"AWS_ENDPOINT_URL={cloud.aws.endpoint}\n", encoding="ascii")
    with (root / "etc/photofleet/database-ca.pem").open("ab") as authorities:
        authorities.write(cloud.authority)


def _with_line(user_data: str, name: str, value: str) -> str:
    """Return user data with another value in the line of boot.env that begins so."""
    lines = user_data.splitlines(keepends=True)
    (index,) = (index for index, line in enumerate(lines) if line.strip().startswith(f"{name}="))
    indentation = lines[index][: len(lines[index]) - len(lines[index].lstrip())]
    lines[index] = f"{indentation}{name}={value}\n"
    return "".join(lines)


def _nspawn(root: Path, name: str) -> Sequence[str]:
    # Where there is no systemd to ask for a scope, the container stays in the control group that it is started in.
    scope = () if Path("/run/systemd/system").exists() else ("--register=no", "--keep-unit")
    return (
        *(
            "systemd-nspawn",
            "--quiet",
            "--boot",
            "--private-network",
            f"--directory={root}",
            f"--machine={name}",
            *scope,
        ),
        *("--console=read-only", "--resolv-conf=off"),
    )


def _hypervisor(folder: Path) -> Path:
    """Make what a machine on EC2 is known by: the hypervisor's id for it begins with these letters."""
    made = folder / "hypervisor"
    made.mkdir()
    (made / "uuid").write_text("ec2e1916-9099-7caf-fd21-012345abcdef\n", encoding="ascii")
    return made


@contextmanager
def _control_group(name: str) -> Iterator[Sequence[str]]:
    """Make a control group where nothing else does, and give the words before a command that put it there."""
    if Path("/run/systemd/system").exists():
        yield ()
        return
    top = Path("/sys/fs/cgroup")
    hierarchies = [top] if (top / "cgroup.procs").exists() else [path.parent for path in top.glob("*/cgroup.procs")]
    groups = [hierarchy / name for hierarchy in hierarchies]
    for group in groups:
        group.mkdir()
    places = " ".join(str(group / "cgroup.procs") for group in groups)
    try:
        # Of cpuset's, a new group has no processor, and takes no process.
        yield ("sh", "-c", 'for each in $0; do echo $$ > "$each" || true; done 2>/dev/null; exec "$@"', places)
    finally:
        for group in groups:
            for path in sorted(group.rglob("*"), reverse=True):
                if path.is_dir():
                    path.rmdir()
            group.rmdir()


def _switch_off(process: subprocess.Popen[bytes]) -> None:
    """Ask for an orderly end, then for an immediate one."""
    for seconds, number in ((30, signal.SIGTERM), (10, signal.SIGTERM), (None, signal.SIGKILL)):
        if process.poll() is not None:
            return
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
