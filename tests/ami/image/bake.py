"""Baking, as it is done on AWS, but in a folder: a stock Debian, and `provision.sh` in it with the release."""

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ami.image.agents import Mirror

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
# What Debian's own images for EC2 have that matters here: an init system with its network and resolver, cloud-init, and
# an SSH daemon to be rid of.
PACKAGES = (
    *("systemd-sysv", "systemd-resolved", "dbus", "udev", "iproute2", "ca-certificates", "sudo"),
    *("cloud-init", "openssh-server"),
    "python3-cffi-backend",  # cloud-init needs it by another name, which debootstrap does not see through
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# In a mount namespace, so that whatever ends the program, this machine's /dev is nowhere where a clean-up finds it.
IN_CHROOT = """
mount -t proc proc "$0/proc"
mount -t sysfs -o ro sysfs "$0/sys"
mount --rbind /dev "$0/dev"
exec chroot "$0" "$@"
"""
SECURITY = "http://security.debian.org/debian-security"


@dataclass(frozen=True)
class Image:
    """A baked root file system."""

    role: str
    root: Path
    seconds: float
    """How long `provision.sh` took."""

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program in it."""
        return chroot(self.root, *command, check=check)

    def megabytes(self) -> float:
        """How much its files take."""
        counted = subprocess.run(("du", "-s", "--block-size=1", self.root), capture_output=True, text=True, check=True)
        return int(counted.stdout.split()[0]) / 1e6


def make_base(archive: Path) -> None:
    """Make a stock Debian, as an archive, unless there is one."""
    if archive.exists():
        return
    print(f"\nMaking a stock Debian with debootstrap, which takes a minute or two: {archive}", flush=True)
    archive.parent.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_suffix(".unfinished")
    root = archive.with_suffix(".folder")
    shutil.rmtree(root, ignore_errors=True)
    try:
        _run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root), MIRROR)
        components = "main contrib non-free-firmware"
        (root / "etc/apt/sources.list").write_text(
            f"deb {MIRROR} {SUITE} {components}\n"
            f"deb {MIRROR} {SUITE}-updates {components}\n"
            f"deb {SECURITY} {SUITE}-security {components}\n",
            encoding="ascii",
        )
        _run("systemctl", f"--root={root}", "enable", "systemd-networkd.service", "systemd-resolved.service")
        _point_to_the_resolver(root)
        _run("tar", "--create", "--file", str(unfinished), "--numeric-owner", "--xattrs", "-C", str(root), ".")
        unfinished.rename(archive)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _point_to_the_resolver(root: Path) -> None:
    resolver = root / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.symlink_to("/run/systemd/resolve/stub-resolv.conf")


def bake(role: str, base: Path, release: Path, root: Path, agents: Mirror) -> Image:
    """Turn a stock base into the image of a role.

    Args:
        role: The role.
        base: The archive with the stock base.
        release: The release's archive.
        root: The folder that the image is to be; it is made.
        agents: Where Amazon's agents come from.
    """
    unpack(base, release, root)
    started = time.monotonic()
    provision(root, role, agents)
    seconds = time.monotonic() - started
    shutil.rmtree(unpacked(root))
    return Image(role, root, seconds)


def unpack(base: Path, release: Path, root: Path) -> None:
    """Make a folder a stock base in which the release has been unpacked."""
    root.mkdir(parents=True)
    _run("tar", "--extract", "--file", str(base), "--numeric-owner", "--xattrs", "-C", str(root))
    _run("tar", "--extract", "--file", str(release), "-C", str(root / "root"), "--no-same-owner")


def provision(root: Path, role: str, agents: Mirror) -> None:
    """Run the release's `provision.sh` in a root file system."""
    script = f"/{unpacked(root).relative_to(root)}/ami/provision.sh"
    # A chroot sees no other folder.
    keys = root / "run" / "keys"
    shutil.copytree(agents.keys, keys)
    with _borrowed_network(root):
        chroot(root, script, role, environment={"AGENTS_URL": agents.address, "AGENTS_KEYS": "/run/keys"})
    shutil.rmtree(keys)


def unpacked(root: Path) -> Path:
    """Return the folder in root's home that the release was unpacked to."""
    (folder,) = (root / "root").glob("photofleet-*")
    return folder


def chroot(
    root: Path, *command: str, environment: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program with `root` for its root, and give what it printed, errors among it."""
    plain = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"}
    done = subprocess.run(
        ("unshare", "--mount", "--propagation=private", "sh", "-ec", IN_CHROOT, str(root), *command),
        env=plain | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout[-4000:]}"
    return done


@contextmanager
def _borrowed_network(root: Path) -> Iterator[None]:
    """Have the bake resolve names as this machine does; an image finds its own way on AWS."""
    resolver = root / "etc/resolv.conf"
    kept = resolver.readlink() if resolver.is_symlink() else None
    before = resolver.read_bytes() if resolver.is_file() else None
    resolver.unlink(missing_ok=True)
    shutil.copy("/etc/resolv.conf", resolver)
    try:
        yield
    finally:
        resolver.unlink(missing_ok=True)
        if kept is not None:
            resolver.symlink_to(kept)
        elif before is not None:
            resolver.write_bytes(before)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def files(root: Path, *tests: str) -> Sequence[str]:
    """Return the paths in a root file system for which find's tests hold, as they are in it."""
    found = subprocess.run(
        ("find", str(root), "-xdev", *tests, "-printf", "/%P\\n"), capture_output=True, text=True, check=True
    )
    return sorted(found.stdout.splitlines())
