"""What is installed is whole: a wheel holds every file that the programs read when they run."""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
PACKAGES = ("photofleet", "webapp", "workers", "cloudformation")


def test_a_wheel_holds_all_code_and_data(tmp_path: Path) -> None:
    # Built from a copy: a build leaves folders behind, and takes in what earlier ones left.
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("setup.cfg", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, tmp_path)
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path / "wheels"))
    built = subprocess.run(
        (sys.executable, "-m", "pip", "wheel", *offline, str(tmp_path)), capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr

    (wheel,) = (tmp_path / "wheels").iterdir()
    with ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    # What a build makes of the page's sources is in the wheel instead of them. Who reads a README has the repository.
    left_out = {"webapp/assets", "webapp/screenshot.png", "cloudformation/README.md"}
    needed = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    missing = {path for path in needed - packed if not path.startswith(tuple(left_out))}
    assert not missing
    assert "photofleet/catalog/migrations/versions/0001_catalog.py" in packed
    assert "webapp/static/build/manifest.json" in packed
