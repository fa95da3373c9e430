"""A program that forks a process for each photo: it has the libraries loaded, and nothing that is worth stealing.

A worker's own processes are no place to decode the files of strangers: they hold credentials. Nor are they one to fork
from, as they hold connections and threads. The worker starts this program with an empty environment instead. Nothing of
libvips may be used in it before a fork: its threads do not come along, and the child would wait for them for ever.

It reads requests from the socket that it was given, each with the original and the pipe for its answers, and says of
each how the child ended. It ends with its worker, or when it is told to stop amid a photo: its child does not outlive
that.
"""

import gc
import json
import os
import pkgutil
import resource
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NoReturn

from PIL import Image

from photofleet.images.formats import Format
from photofleet.images.renditions import Mode, RenditionSpec
from workers.image import BadImage
from workers.image.opening import WORKING_BYTES_PER_PIXEL
from workers.memory import MEGABYTE
from workers.resize.answers import Answers
from workers.resize.confinement import confine
from workers.resize.results import Placeholder, Rendition

Work = Callable[..., Iterator[Placeholder | Rendition]]

BASE_BYTES = 256 * MEGABYTE
"""What a child may take whatever the picture: the program with its libraries takes about 50 MB."""

OUT_OF_MEMORY = (
    "The file takes far more memory to decode than other pictures of its size. "
    "Export the picture again and upload the new file."
)


def main(control: socket.socket, work: Work, cpu_seconds: int) -> None:
    """Fork a child for each request, one after the other, until the worker closes the socket."""
    Image.init()  # loads what Pillow would load when first needed: by then, nothing can be opened any more
    gc.freeze()  # so that no collection in a child touches, and thereby copies, what all share
    nursery = os.getpid()
    while received := _receive(control):
        request, (original, answers) = received
        lifeline, childs_end = os.pipe()
        child = os.fork()
        if child == 0:
            _keep_open(original, answers, childs_end)
            _do(work, request, original, answers, cpu_seconds, nursery)
        for descriptor in (original, answers, childs_end):
            os.close(descriptor)
        status = _wait(child, control, lifeline)
        os.close(lifeline)
        control.sendall(b"%d\n" % status)


def _receive(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Return the next request, with the original and the pipe for the answers; None if the worker has gone."""
    line, files, _, _ = socket.recv_fds(control, 65_536, 2)
    while line and not line.endswith(b"\n"):
        more = control.recv(65_536)
        line = line + more if more else b""
    return (json.loads(line), files) if line else None


def _wait(child: int, control: socket.socket, lifeline: int) -> int:
    """Return how a child ended, which is by force if the worker says or closes anything meanwhile."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(lifeline, select.POLLIN)
    if any(descriptor == control.fileno() for descriptor, _ in poll.poll()):
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _keep_open(*descriptors: int) -> None:
    """Close all files but these; what libraries print goes nowhere."""
    os.dup2(sys.stdin.fileno(), sys.stderr.fileno())
    first = sys.stderr.fileno() + 1
    for descriptor in sorted(descriptors):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def _do(work: Work, request: dict[str, Any], original: int, answers: int, cpu_seconds: int, nursery: int) -> NoReturn:
    """Do the work and answer with its results, as far as the limits allow."""
    try:
        specs = tuple(
            RenditionSpec(name, width, height, Mode(mode), Format.named(format), quality, effort)
            for name, width, height, mode, format, quality, effort in request["specs"]
        )
        max_pixels = request["max_pixels"]
        wanted = BASE_BYTES + 2 * os.fstat(original).st_size + WORKING_BYTES_PER_PIXEL * max_pixels
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        is_scarce = 0 <= most < wanted
        with open(answers, "wb") as pipe:
            answer = Answers(pipe, specs)
            try:
                with open(original, "rb") as file:
                    content = file.read()
                confine(memory=most if is_scarce else wanted, cpu_seconds=cpu_seconds, parent=nursery)
                for result in work(content, Format.named(request["format"]), specs, max_pixels=max_pixels):
                    answer.write(result)
                answer.done()
            except BadImage as bad:
                answer.bad_image(str(bad), repr(bad.__cause__ or bad))
            except MemoryError as error:
                if is_scarce:  # the worker has less than a photo may take: that is not the file's fault
                    answer.failed(traceback.format_exc())
                else:
                    answer.bad_image(OUT_OF_MEMORY, repr(error))
            except Exception:  # noqa: BLE001 - whatever it is, the worker is told
                answer.failed(traceback.format_exc())
        os._exit(0)
    finally:
        os._exit(1)


if __name__ == "__main__":
    with suppress(ConnectionError):  # the worker has gone
        main(socket.socket(fileno=int(sys.argv[1])), pkgutil.resolve_name(sys.argv[2]), int(sys.argv[3]))
