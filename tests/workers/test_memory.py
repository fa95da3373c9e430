"""A picture for which there is not enough memory is not called a bad one."""

import subprocess
import sys
from pathlib import Path

import pytest

from photofleet.images.formats import Format
from tests.pictures import encode, noise

DECODE = """
import re
import sys
from pathlib import Path
from photofleet.images.formats import Format
from workers.image import decode
from workers.memory import MEGABYTE, limit_memory

format, path, spare = Format.named(sys.argv[1]), sys.argv[2], int(sys.argv[3])
original = Path(path).read_bytes()
kilobytes = int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
limit_memory(kilobytes * 1024 // MEGABYTE + spare)
try:
    print(decode(original, format, max_pixels=50_000_000).size)
except Exception as error:
    print(type(error).__name__)
"""


def large_picture(format: Format) -> bytes:
    """A picture of 3,000 × 2,000 that holds much, encoded as fast as its format allows."""
    picture = noise(3000, 2000, seed="large")
    match format:
        case Format.AVIF:
            return encode(picture, format, speed=10)
        case Format.HEIC:
            return encode(picture, format, enc_params={"preset": "ultrafast"})
        case Format.GIF:
            return encode(picture.convert("L"), format)
    return encode(picture, format)


def decoded(format: Format, file: Path, spare_megabytes: int) -> str:
    command = (sys.executable, "-c", DECODE, format.value, str(file), str(spare_megabytes))
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux counts a process's memory so.")
@pytest.mark.parametrize("format", list(Format))
def test_a_decoder_that_runs_out_of_memory_does_not_blame_the_file(format: Format, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(large_picture(format))

    assert decoded(format, file, spare_megabytes=10) == "MemoryError"
    assert decoded(format, file, spare_megabytes=1000) == "(3000, 2000)"
