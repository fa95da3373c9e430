"""What is installed is whole: a wheel holds every file that the programs read when they run."""

from pathlib import Path
from zipfile import ZipFile

from ami.release import wheels
from tests.sources import ROOT, working_tree

PACKAGES = ("photofleet", "webapp", "workers", "cloudformation", "ami/boot")


def test_a_wheel_holds_all_code_and_data(tmp_path: Path) -> None:
    with ZipFile(wheels.build(working_tree(), tmp_path).path) as archive:
        packed = set(archive.namelist())
    # What a build makes of the page's sources is in the wheel instead of them. Who reads a README has the repository.
    left_out = ("webapp/assets", "webapp/screenshot.png", "cloudformation/README.md")
    needed = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    missing = {path for path in needed - packed if not path.startswith(left_out)}
    assert not missing
    assert "photofleet/catalog/migrations/versions/0001_catalog.py" in packed
    assert "webapp/static/build/manifest.json" in packed
    # What builds and bakes is not for those that are baked.
    assert {path.split("/")[1] for path in packed if path.startswith("ami/")} == {"__init__.py", "boot"}
