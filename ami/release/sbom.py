"""The bill of materials of a role in CycloneDX: what scanners look up when a weakness becomes known."""

import base64
import json
import subprocess
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from packaging.utils import canonicalize_name

from ami.release.roles import ReleaseError, Role
from ami.release.source import Source
from ami.release.wheels import Wheel

_PROGRAM = Path(__file__).parents[2] / ".venv-tools/bin/cyclonedx-py"


def write(role: Role, ours: Wheel, theirs: Sequence[Wheel], source: Source) -> bytes:
    """Return what a role consists of: its packages, with licences, dependencies and hashes, below Photofleet itself.

    Raises:
        ReleaseError: CycloneDX's program fails.
    """
    with TemporaryDirectory() as folder:
        # The program reads an environment in which packages are installed. Of a package, it reads what the wheel says
        # of itself; so no more is unpacked, and it does not matter which machine the wheel is for.
        environment, project = Path(folder, "environment"), Path(folder, "pyproject.toml")
        venv.create(environment)
        (site,) = environment.glob("lib/python*/site-packages")
        for wheel in theirs:
            with ZipFile(wheel.path) as archive:
                archive.extractall(site, [name for name in archive.namelist() if ".dist-info/" in name])
        project.write_text(_project(role, source), encoding="utf-8")
        options = ("--output-reproducible", "--schema-version", "1.6", "--PEP-639", "--pyproject", project)
        made = subprocess.run(
            (_PROGRAM, "environment", *options, environment), capture_output=True, text=True, check=False
        )
    if made.returncode:
        raise ReleaseError(f"The bill of materials of {role.name} cannot be made: {made.stderr.strip()}")
    bill = json.loads(made.stdout)
    hashes = {wheel.pin: [{"alg": "SHA-256", "content": wheel.sha256}] for wheel in (ours, *theirs)}
    for component in bill["components"]:
        component["hashes"] = hashes[f"{canonicalize_name(component['name'])}=={component['version']}"]
    bill["metadata"]["component"]["hashes"] = hashes[ours.pin]
    bill["components"] += _packages_of_pages(source)
    return (json.dumps(bill, indent=2, sort_keys=True) + "\n").encode()


def _project(role: Role, source: Source) -> str:
    """What the program is told of Photofleet itself."""
    # What JSON calls strings and arrays is called so in TOML, too.
    dependencies = json.dumps(source.requirements(role.extra))
    return f'[project]\nname = "photofleet"\nversion = "{source.version}"\ndependencies = {dependencies}\n'


def _packages_of_pages(source: Source) -> Iterator[dict[str, Any]]:
    """The npm packages that are in the pages' scripts, and so in our wheel."""
    lock = json.loads((source.root / "package-lock.json").read_text(encoding="utf-8"))
    for path, package in sorted(lock["packages"].items()):
        if path and not package.get("dev"):
            name, version = path.rpartition("node_modules/")[2], package["version"]
            algorithm, _, digest = package["integrity"].partition("-")
            purl = f"pkg:npm/{name.replace('@', '%40')}@{version}"
            yield {
                "bom-ref": purl,
                "type": "library",
                "name": name,
                "version": version,
                "purl": purl,
                "licenses": [{"expression": package["license"]}],
                "hashes": [{"alg": algorithm.replace("sha", "SHA-"), "content": base64.b64decode(digest).hex()}],
            }
