"""What baking and booting take of this machine: looked for, or, when run as a program, installed with apt-get."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence

PROGRAMS = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "systemd-analyze": "systemd",
    "ip": "iproute2",
    "dnsmasq": "dnsmasq-base",
    "gpg": "gnupg",
    "dpkg-deb": "dpkg",
}
"""The programs, each with the Debian package that brings it."""


def missing() -> Sequence[str]:
    """Say, a sentence each, what this machine lacks."""
    lacks = [
        f"there is no {program} here (Debian has it in {package})"
        for program, package in PROGRAMS.items()
        if shutil.which(program) is None
    ]
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        lacks.append(f"images are for x86-64 Linux, and this is {platform.machine()} {platform.system()}")
    elif os.geteuid() != 0:
        lacks.append("this is not root, who alone may make a root file system and network namespaces")
    elif not _may_make_namespaces():
        lacks.append("root may not make network namespaces and mounts here, as in a container without privileges")
    return lacks


def _may_make_namespaces() -> bool:
    command = ("unshare", "--net", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt")
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def main() -> None:
    """Install what is missing where that can be, and say what still is."""
    packages = sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"==> Installing {', '.join(packages)} for the tests of the images", flush=True)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (("update",), ("install", "-y", "--no-install-recommends", *packages)):
            subprocess.run(("apt-get", "-qq", *command), env=environment, stdout=subprocess.DEVNULL, check=False)
    for sentence in missing():
        print(f"==> The images cannot be tested: {sentence}.", flush=True)


if __name__ == "__main__":
    main()
