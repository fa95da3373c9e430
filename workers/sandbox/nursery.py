"""A program that forks a process for each photo: it has the libraries loaded, and nothing that is worth stealing.

A worker's own processes are no place to decode the files of strangers: they hold credentials. Nor are they one to fork
from, as they hold connections and threads. The worker starts this program with an empty environment instead.

It reads requests from the socket that it was given, each with the original and the pipe for its answers, and says of
each how the child ended. It ends with its worker, or when it is told to stop amid a photo. A child outlives neither
that nor its own time; and what a child has begun ends with it, as it could keep the pipe for the answers open.
"""

import gc
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from typing import Any, NoReturn

from PIL import Image

from workers.image import BadImage
from workers.sandbox.answers import Answers, Work
from workers.sandbox.confinement import adopt_orphans, confine, kill_orphans

OUT_OF_MEMORY = (
    "The file takes far more memory to decode than other pictures of its size. "
    "Export the picture again and upload the new file."
)


def main(control: socket.socket, work: Work) -> None:
    """Fork a child for each request, one after the other, until the worker closes the socket."""
    adopt_orphans()
    Image.init()  # loads what Pillow would load when first needed: by then, nothing can be opened any more
    gc.freeze()  # so that no collection in a child touches, and thereby copies, what all share
    nursery = os.getpid()
    while received := _receive(control):
        request, (original, answers) = received
        child = os.fork()
        if child == 0:
            _keep_open(original, answers)
            _do(work, request, original, answers, nursery)
        for descriptor in (original, answers):
            os.close(descriptor)
        status, is_overdue = _wait(child, control, request["seconds"])
        kill_orphans()
        control.sendall(b"%d %d\n" % (status, is_overdue))


def _receive(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Return the next request, with the original and the pipe for the answers; None if the worker has gone."""
    line, files, _, _ = socket.recv_fds(control, 65_536, 2)
    while line and not line.endswith(b"\n"):
        more = control.recv(65_536)
        line = line + more if more else b""
    return (json.loads(line), files) if line else None


def _wait(child: int, control: socket.socket, seconds: float) -> tuple[int, bool]:
    """Return how a child ended, and whether its time was over.

    Then it was by force; so it is if the worker says or closes anything meanwhile.
    """
    deadline = time.monotonic() + seconds
    watched = [control.fileno()]
    pause = 0.05  # where the end of a child cannot be waited for together with the worker
    if sys.platform == "linux":
        watched.append(os.pidfd_open(child))
        pause = seconds
    ended = 0
    is_told = is_overdue = False
    while not (ended or is_told or is_overdue):
        ready, _, _ = select.select(watched, (), (), pause)
        ended, status = os.waitpid(child, os.WNOHANG)
        is_told = control.fileno() in ready
        is_overdue = not ended and time.monotonic() >= deadline
    if not ended:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    for descriptor in watched[1:]:
        os.close(descriptor)
    return status, is_overdue


def _keep_open(*descriptors: int) -> None:
    """Close all files but these; what libraries print goes nowhere."""
    os.dup2(sys.stdin.fileno(), sys.stderr.fileno())
    first = sys.stderr.fileno() + 1
    for descriptor in sorted(descriptors):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def _do(work: Work, request: dict[str, Any], original: int, answers: int, nursery: int) -> NoReturn:
    """Do the work and answer with its results, as far as the limits allow."""
    try:
        with open(answers, "wb") as pipe:
            answer = Answers(pipe)
            try:
                with open(original, "rb") as file:
                    content = file.read()
                confine(memory=request["memory"], cpu_seconds=request["cpu_seconds"], parent=nursery)
                for result in work(content, request["arguments"]):
                    answer.write(result)
                answer.done()
            except BadImage as bad:
                answer.bad_image(str(bad), repr(bad.__cause__ or bad))
            except MemoryError as error:
                if request["is_scarce"]:  # that is not the file's fault
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
        main(socket.socket(fileno=int(sys.argv[1])), pkgutil.resolve_name(sys.argv[2]))
