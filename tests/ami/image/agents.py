"""A mirror of Amazon's agents, as a company may have one: their packages, signed with a key of its own.

Amazon's own hosts are not on loopback. What is in these packages answers to the agents' names and does nothing; how
packages are fetched, checked and installed is `provision.sh`'s own way.
"""

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

AGENTS = {
    "amazon-cloudwatch-agent": "opt/aws/amazon-cloudwatch-agent/bin/start-amazon-cloudwatch-agent",
    "amazon-ssm-agent": "usr/bin/amazon-ssm-agent",
}
"""The program that each agent's unit starts."""

VERSIONS = Path(__file__).parents[3] / "ami" / "versions.env"


@dataclass(frozen=True)
class Mirror:
    """Where it is."""

    address: str
    keys: Path
    """The folder with the keys that its packages are signed with."""


@contextmanager
def mirror(folder: Path) -> Iterator[Mirror]:
    """Serve a mirror on loopback, with its packages and keys in a folder."""
    packages, keys = folder / "packages", folder / "keys"
    keys.mkdir()
    home = folder / "gnupg"
    home.mkdir(mode=0o700)
    gpg = partial(_run, environment={"GNUPGHOME": str(home)})
    gpg("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "a mirror of tests", "ed25519", "sign", "never")
    for name, program in AGENTS.items():
        package = packages / name / _version(name) / f"{name}.deb"
        _build(name, program, package, folder / "build" / name)
        gpg("gpg", "--batch", "--detach-sign", "--output", f"{package}.sig", str(package))
        gpg("gpg", "--batch", "--armor", "--export", "--output", str(keys / f"{name}.asc"))
    # The agent that gpg starts for itself would stay.
    gpg("gpgconf", "--kill", "all")
    handler = partial(_QuietHandler, directory=str(packages))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield Mirror(f"http://127.0.0.1:{server.server_port}", keys)
        finally:
            server.shutdown()
            thread.join()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def _version(name: str) -> str:
    variable = "CLOUDWATCH_AGENT_VERSION" if "cloudwatch" in name else "SSM_AGENT_VERSION"
    lines = VERSIONS.read_text(encoding="utf-8").splitlines()
    (version,) = (line.partition("=")[2] for line in lines if line.startswith(f"{variable}="))
    return version


def _build(name: str, program: str, package: Path, root: Path) -> None:
    control = f"Package: {name}\nVersion: {_version(name)}\nArchitecture: amd64\nMaintainer: tests\nDescription: test\n"
    unit = f"[Unit]\nDescription={name}\n[Service]\nExecStart=/{program}\n[Install]\nWantedBy=multi-user.target\n"
    for path, text, mode in (
        ("DEBIAN/control", control, 0o644),
        (program, "#!/bin/sh\nexec sleep infinity\n", 0o755),
        (f"lib/systemd/system/{name}.service", unit, 0o644),
    ):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="ascii")
        file.chmod(mode)
    package.parent.mkdir(parents=True)
    _run("dpkg-deb", "--root-owner-group", "--build", str(root), str(package))


def _run(*command: str, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command, env=os.environ | dict(environment or {}), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
