"""The program that builds a release: `python -m ami.release`; `make release` has made what it needs by then."""

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from ami.release import archive, sbom, wheels
from ami.release.roles import ReleaseError, Role, choose
from ami.release.source import PAGES, Source

ROOT = Path(__file__).parents[2]
AUTHORITIES = "database-ca.pem"


@click.command()
@click.argument("roles", nargs=-1)
def main(roles: tuple[str, ...]) -> None:
    """Build the release of this commit for these ROLES of images, or for all."""
    try:
        click.echo(f"Built {os.path.relpath(release(choose(roles), ROOT))}")
    except (ReleaseError, OSError) as error:
        raise click.ClickException(str(error)) from error


def release(roles: Iterable[Role], root: Path) -> Path:
    """Build the release of a working tree for these roles, in its folder build/release; return its path.

    Raises:
        ReleaseError: it cannot be built.
    """
    source, build = Source.read(root), root / "build"
    for made in (root / PAGES / "manifest.json", build / AUTHORITIES):
        if not made.is_file():
            raise ReleaseError(f"{made} is missing; `make release` makes it.")
    contents: dict[str, Path | bytes] = {f"ami/{AUTHORITIES}": build / AUTHORITIES}
    contents |= {file: root / file for file in (*source.bake(), *source.templates())}
    with TemporaryDirectory(dir=build, prefix="unfinished-") as folder:
        ours = wheels.build(source, Path(folder))
        contents[f"wheels/{ours.path.name}"] = ours.path
        for role in roles:
            click.echo(f"==> Collecting the wheels of {role.name}")
            theirs = wheels.fetch(role, root, build / "wheels")
            contents |= {f"wheels/{wheel.path.name}": wheel.path for wheel in theirs}
            contents[role.lock.as_posix()] = root / role.lock
            contents[f"sbom/{role.name}.cdx.json"] = sbom.write(role, ours, theirs, source)
        return archive.write(source, [role.name for role in roles], contents, build / "release")


if __name__ == "__main__":
    main(prog_name="python -m ami.release")
