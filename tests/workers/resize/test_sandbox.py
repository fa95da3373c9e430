"""What decoders may do to the worker, whatever the file: nothing but answer."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO

import psutil
import pytest

from photofleet.images.formats import Format
from photofleet.images.renditions import parse_renditions
from tests.pictures import animation, corners, encode, exif, noise
from workers.image import BadImage
from workers.resize.renditions import make_renditions
from workers.resize.results import Placeholder, Rendition
from workers.resize.sandbox import Renditions, render
from workers.sandbox import Sandbox, SandboxError
from workers.sandbox.answers import read_answers
from workers.sandbox.confinement import landlock_version

MAX_PIXELS = 1_000_000
SPECS = parse_renditions("w160 160 avif, w320 320, moving 100 animation")

Results = Iterator[Placeholder | Rendition]


@pytest.fixture
def stored() -> Iterator[Callable[[bytes], IO[bytes]]]:
    """A function that stores a file as a worker does for an original, without rewinding it."""
    with tempfile.TemporaryFile() as file:

        def store(content: bytes) -> IO[bytes]:
            file.seek(0)
            file.truncate()
            file.write(content)
            return file

        yield store


@pytest.fixture
def wild() -> Iterator[Sandbox]:
    """A sandbox in which what decodes a file is that function of tests/workers/resize/wild.py that the file names."""
    sandbox = Sandbox("tests.workers.resize.wild:work", cpu_seconds=1)
    yield sandbox
    sandbox.close()


@pytest.fixture
def decode(wild: Sandbox, stored: Callable[[bytes], IO[bytes]]) -> Callable[[str], Results]:
    """A function that has something wild done in place of decoding."""
    return lambda deed: render(stored(deed.encode()), Format.JPEG, SPECS, max_pixels=MAX_PIXELS, sandbox=wild)


def offspring() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def ended(processes: set[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=10)
    return not alive


@pytest.mark.parametrize(
    ("format", "content"),
    [
        *((format, encode(noise(400, 300, seed=format.value), format)) for format in Format),
        (Format.JPEG, encode(corners(400, 300), Format.JPEG, exif=exif(6), progressive=True)),
        (Format.PNG, encode(corners(400, 300).convert("RGBA"), Format.PNG)),
        (Format.GIF, animation(Format.GIF, noise(40, 30, seed="first"), noise(40, 30, seed="second"))),
    ],
)
def test_renditions_are_the_same_as_without_the_sandbox(
    format: Format, content: bytes, stored: Callable[[bytes], IO[bytes]]
) -> None:
    made = list(render(stored(content), format, SPECS, max_pixels=MAX_PIXELS))

    assert made == list(make_renditions(content, format, SPECS, max_pixels=MAX_PIXELS))


def test_what_a_decoder_says_of_a_bad_file_is_passed_on_with_its_cause(decode: Callable[[str], Results]) -> None:
    with pytest.raises(BadImage, match=r"^It is a picture of nothing\.$") as caught:
        list(decode("blame"))

    assert repr(caught.value.__cause__) == "ValueError('nothing')"


@pytest.mark.parametrize(
    ("deed", "sentence", "cause"),
    [
        ("spin", "takes far more work to decode", "SIGXCPU"),
        ("eat", "takes far more memory to decode", "MemoryError"),
        ("crash", "the decoder crashes on it", "SIGSEGV"),
        ("abort", "the decoder crashes on it", "SIGABRT"),
    ],
)
def test_a_file_that_is_too_much_for_a_decoder_is_bad(
    deed: str, sentence: str, cause: str, decode: Callable[[str], Results]
) -> None:
    with pytest.raises(BadImage, match=sentence) as caught:
        list(decode(deed))

    assert cause in repr(caught.value.__cause__)
    assert len(list(decode("behave"))) == 2


@pytest.mark.parametrize(
    ("deed", "error"),
    [("be_killed", "killed by signal 9"), ("leave", "ended amid its answers"), ("stumble", "KeyError: 'ours'")],
)
def test_the_file_is_not_blamed_for_what_it_cannot_help(
    deed: str, error: str, decode: Callable[[str], Results]
) -> None:
    with pytest.raises(SandboxError, match=error):
        list(decode(deed))

    assert len(list(decode("behave"))) == 2


def test_a_fault_of_ours_is_logged_with_its_traceback(decode: Callable[[str], Results]) -> None:
    with pytest.raises(SandboxError) as caught:
        list(decode("stumble"))

    assert "in stumble" in caught.value.__notes__[0]


def test_a_decoder_finds_nothing_to_take_and_nowhere_to_put_it(
    decode: Callable[[str], Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PHOTOFLEET_DATABASE_PASSWORD", "secret")

    with pytest.raises(BadImage) as caught:
        list(decode("burgle"))

    # The null device is what its standard streams lead to; the last one is the pipe for its answers.
    assert str(caught.value) == "It found: writes to 0, writes to 1, writes to 2"


@pytest.mark.parametrize(
    ("deed", "found", "version"),
    [("vandalise", "nothing", 3), ("spy", "nothing", 1), ("threaten", "nobody", 6)],
)
def test_a_decoder_can_do_nothing_to_files_and_other_processes(
    deed: str,
    found: str,
    version: int,
    decode: Callable[[str], Results],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if landlock_version() < version:
        pytest.skip(f"The kernel here has no Landlock, or one older than version {version}, which keeps it from this.")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "treasure").write_text("gold")

    with pytest.raises(BadImage) as caught:
        list(decode(deed))

    assert str(caught.value) == f"It found: {found}"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["gold"]


@pytest.mark.parametrize(
    "lie",
    [
        "other_format",
        "enlarged",
        "no_size",
        "twice",
        "huge_file",
        "huge_preview",
        "other_preview",
        "other_colour",
        "two_placeholders",
        "no_placeholder",
        "odd_sentence",
    ],
)
def test_an_answer_that_cannot_be_true_is_refused(lie: str, decode: Callable[[str], Results]) -> None:
    before = offspring()

    with pytest.raises(SandboxError, match="answered"):
        list(decode(lie))

    assert offspring() == before  # what lied is not asked again
    assert len(list(decode("behave"))) == 2


def test_a_sentence_is_of_bounded_length(decode: Callable[[str], Results]) -> None:
    with pytest.raises(BadImage) as caught:
        list(decode("long_sentence"))

    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize("content", [b"\0" * 10, b"\xff" * 100, b"\x02\xff" + b"\0\x08" * 4])
def test_answers_that_are_noise_are_refused(content: bytes) -> None:
    with pytest.raises(SandboxError):
        list(read_answers(BytesIO(content), Renditions(SPECS, MAX_PIXELS)))


@pytest.mark.parametrize(("deed", "processes"), [("hang", 2), ("hide", 2), ("disperse", 3)])
def test_whoever_stops_listening_leaves_nothing_running(
    deed: str, processes: int, decode: Callable[[str], Results]
) -> None:
    before = offspring()
    results = decode(deed)

    first = next(results)  # although its process never gets any further
    begun = offspring() - before
    results.close()

    assert isinstance(first, Rendition)
    assert len(begun) == processes
    assert ended(begun)


def test_what_a_decoder_leaves_behind_ends_with_it(decode: Callable[[str], Results]) -> None:
    list(decode("behave"))
    before = offspring()

    with pytest.raises(SandboxError, match="ended amid its answers"):
        list(decode("leave_behind"))

    assert offspring() == before


@pytest.mark.parametrize("deed", ["hang", "hide", "disperse"])
def test_a_photo_that_takes_too_long_is_ended_without_blaming_the_file(
    deed: str, stored: Callable[[bytes], IO[bytes]]
) -> None:
    before = offspring()
    sandbox = Sandbox("tests.workers.resize.wild:work", seconds=0.5)

    with pytest.raises(SandboxError, match=r"longer than 0\.5 seconds"):
        list(render(stored(deed.encode()), Format.JPEG, SPECS, max_pixels=MAX_PIXELS, sandbox=sandbox))
    sandbox.close()

    assert offspring() == before


def test_an_exception_amid_a_photo_ends_its_process(decode: Callable[[str], Results]) -> None:
    before = offspring()

    def fail(_: object) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        list(map(fail, decode("hang")))

    assert offspring() == before


def test_two_photos_at_once_do_not_mix(decode: Callable[[str], Results], wild: Sandbox) -> None:
    with tempfile.TemporaryFile() as other:
        other.write(b"behave")
        first, second = decode("behave"), render(other, Format.JPEG, SPECS, max_pixels=MAX_PIXELS, sandbox=wild)

        assert [next(first), next(second), *first, *second] == [result for result in decode("behave") for _ in "12"]


@pytest.mark.parametrize("amid", [True, False])
def test_a_nursery_that_was_killed_is_replaced(amid: bool, decode: Callable[[str], Results]) -> None:
    before = offspring()
    results = decode("hang" if amid else "behave")
    next(results)
    if not amid:
        list(results)
    (nursery,) = set(psutil.Process().children()) - before
    nursery.kill()
    nursery.wait()

    if amid:
        with pytest.raises(SandboxError):
            list(results)
    assert len(list(decode("behave"))) == 2


WORKER = """
import sys, tempfile
from photofleet.images.formats import Format
from photofleet.images.renditions import parse_renditions
from workers.memory import limit_memory
from workers.resize.sandbox import render
from workers.sandbox import Sandbox

deed, memory = sys.argv[1], int(sys.argv[2])
limit_memory(memory)
with tempfile.TemporaryFile() as original:
    original.write(deed.encode())
    try:
        for result in render(
            original, Format.JPEG, parse_renditions("w160 160"), max_pixels=1_000_000,
            sandbox=Sandbox("tests.workers.resize.wild:work"),
        ):
            print(type(result).__name__, flush=True)
    except Exception as error:
        print(type(error).__name__, flush=True)
"""


def test_a_worker_that_is_killed_takes_its_photo_along() -> None:
    worker = psutil.Popen((sys.executable, "-c", WORKER, "hang", "1000"), stdout=subprocess.PIPE, text=True)
    with worker:
        assert worker.stdout.readline() == "Rendition\n"
        begun = set(worker.children(recursive=True))
        worker.kill()

    assert worker.returncode == -signal.SIGKILL
    assert len(begun) == 2
    assert ended(begun)


@pytest.mark.parametrize("deed", ["eat", "abort"])
def test_a_worker_that_has_less_memory_than_a_photo_may_take_does_not_blame_the_file(deed: str) -> None:
    for memory, error in ((200, "SandboxError"), (1000, "BadImage")):
        command = (sys.executable, "-c", WORKER, deed, str(memory))
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"{error}\n"


def test_photos_leave_no_open_files(decode: Callable[[str], Results]) -> None:
    list(decode("behave"))
    before = psutil.Process().num_fds()

    for deed in ("behave", "blame", "crash", "be_killed", "twice", "behave"):
        with suppress(BadImage, SandboxError):
            list(decode(deed))
    decode("hang").close()
    list(decode("behave"))

    assert psutil.Process().num_fds() == before
