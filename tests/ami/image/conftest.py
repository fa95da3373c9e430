"""The images, each baked once from the release, and the cloud that they boot in."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.ami.image.agents import Mirror, mirror
from tests.ami.image.bake import SUITE, Image, bake, make_base
from tests.ami.image.cloud import Cloud, cloud
from tests.ami.image.namespaces import outside
from tests.ami.image.requirements import missing

PATIENCE_S = 900
BUILD = Path(__file__).parents[3] / "build"

Note = Callable[[str], None]
_NOTES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin a list of what was measured."""
    config.stash[_NOTES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured."""
    if notes := config.stash[_NOTES]:
        terminalreporter.section("sizes and times")
        for line in notes:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def note(request: pytest.FixtureRequest) -> Note:
    """A function that notes what was measured, for the end of the run."""
    return request.config.stash[_NOTES].append


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out, and say why, what this machine cannot do; and give time for the rest, as some tests bake first."""
    lacks = missing()
    for item in items:
        item.add_marker(pytest.mark.timeout(PATIENCE_S))
        if lacks and "release" not in item.path.name:
            item.add_marker(pytest.mark.skip(reason=f"Images cannot be baked and booted here: {'; '.join(lacks)}."))


@pytest.fixture(scope="session")
def workplace() -> Iterator[Path]:
    """A folder for root file systems, whose users must reach them; pytest's own folders are for one user only."""
    with TemporaryDirectory(prefix="photofleet-images-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def release() -> Path:
    """The newest release; `make test-ami` builds it from the working tree."""
    found = sorted((BUILD / "release").glob("photofleet-*.tar"), key=lambda path: path.stat().st_mtime)
    assert found, "There is no release in build/release; `make test-ami` builds one."
    return found[-1]


@pytest.fixture(scope="session")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """A mirror of Amazon's agents."""
    with mirror(tmp_path_factory.mktemp("agents")) as found:
        yield found


@pytest.fixture(scope="session")
def base() -> Path:
    """A stock Debian, kept between runs."""
    archive = BUILD / "ami" / f"{SUITE}.tar"
    make_base(archive)
    return archive


@pytest.fixture(scope="session")
def oven(workplace: Path, base: Path, release: Path, agents: Mirror) -> Callable[[str], Image]:
    """A function that bakes the image of a role."""

    def bake_outside(role: str) -> Image:
        with outside():  # of the cloud, on which the tests may be already
            return bake(role, base, release, workplace / role, agents)

    return bake_outside


@pytest.fixture(scope="session")
def web_image(oven: Callable[[str], Image]) -> Image:
    """The image of the role web."""
    return oven("web")


@pytest.fixture(scope="session")
def resize_image(oven: Callable[[str], Image]) -> Image:
    """The image of the role resize."""
    return oven("resize")


@pytest.fixture(scope="session")
def label_image(oven: Callable[[str], Image]) -> Image:
    """The image of the role label-cpu."""
    return oven("label-cpu")


@pytest.fixture(scope="session")
def network_cloud(workplace: Path, oven: Callable[[str], Image]) -> Iterator[Cloud]:
    """The cloud; the tests are on its network from then on, and on no other."""
    folder = workplace / "cloud"
    folder.mkdir()
    with cloud(f"pf{os.getpid()}", folder) as found:
        yield found
