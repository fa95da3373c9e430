"""What decoders do when a file gets the better of them. The file says which: its content is the name of a function."""

import ctypes
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from photofleet.images.formats import Format
from photofleet.images.renditions import RenditionSpec
from tests.pictures import corners, encode
from workers.image import BadImage
from workers.resize.results import Placeholder, Rendition
from workers.resize.sandbox import answering

Results = Iterator[Placeholder | Rendition]

JPEG = encode(corners(8, 8), Format.JPEG)
WEBP = encode(corners(8, 8), Format.WEBP)
GREY = Placeholder(None, "#808080")

MARK = ctypes.create_string_buffer(b"a secret")

libc = ctypes.CDLL(None)


@answering
def work(original: bytes, format: Format, specs: Sequence[RenditionSpec], *, max_pixels: int) -> Results:
    yield from globals()[original.decode()](specs[0])


def behave(spec: RenditionSpec) -> Results:
    yield Rendition(spec, 8, 8, JPEG)
    yield GREY


def spin(_: RenditionSpec) -> Results:
    while True:
        pass


def eat(_: RenditionSpec) -> Results:
    eaten = []
    while True:
        eaten.append(bytes(100_000_000))
    yield GREY


def crash(_: RenditionSpec) -> Results:
    os.kill(os.getpid(), signal.SIGSEGV)
    yield GREY


def abort(_: RenditionSpec) -> Results:
    os.abort()
    yield GREY


def be_killed(_: RenditionSpec) -> Results:
    os.kill(os.getpid(), signal.SIGKILL)
    yield GREY


def leave(_: RenditionSpec) -> Results:
    os._exit(0)
    yield GREY


def stumble(_: RenditionSpec) -> Results:
    raise KeyError("ours")
    yield GREY


def blame(_: RenditionSpec) -> Results:
    raise BadImage("It is a picture of nothing.") from ValueError("nothing")
    yield GREY


def hang(spec: RenditionSpec) -> Results:
    yield Rendition(spec, 8, 8, JPEG)
    signal.pause()


def hide(spec: RenditionSpec) -> Results:
    """Give no sign of life, nor of its end."""
    yield Rendition(spec, 8, 8, JPEG)
    os.closerange(0, 1000)
    signal.pause()


def leave_behind(spec: RenditionSpec) -> Results:
    """End, but for a process that keeps the pipe for answers open and belongs to no one."""
    yield Rendition(spec, 8, 8, JPEG)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.pause()
    os._exit(0)


def disperse(spec: RenditionSpec) -> Results:
    """Hang, with such a process beside it."""
    if os.fork() == 0:
        os.setsid()
        signal.pause()
    yield from hang(spec)


def burgle(_: RenditionSpec) -> Results:
    """Try to get at more than was given, and tell of it in the one way there is."""
    found = [f"sees {name}" for name in os.environ if name.startswith(("AWS", "PHOTOFLEET"))]
    for path, mode in ((__file__, "rb"), ("/dev/null", "rb"), ("loot", "wb")):
        with suppress(OSError), Path(path).open(mode):
            found.append(f"opens {path}")
    with suppress(OSError), socket.socket():
        found.append("has a socket")
    for descriptor in range(1000):
        with suppress(OSError):
            os.pwrite(descriptor, b"!", 0)
            found.append(f"writes to {descriptor}")
        with suppress(OSError):
            os.dup(descriptor)
            found.append(f"copies {descriptor}")
    raise BadImage(f"It found: {', '.join(found) or 'nothing'}")
    yield GREY


def vandalise(_: RenditionSpec) -> Results:
    """Try what takes a path and no descriptor."""
    treasure, loot = Path("treasure"), Path("loot")
    deeds = {
        "makes a folder": loot.mkdir,
        "makes a pipe": lambda: os.mkfifo(loot),
        "points to it": lambda: loot.symlink_to(treasure),
        "links to it": lambda: loot.hardlink_to(treasure),
        "empties it": lambda: os.truncate(treasure, 0),
        "moves it": lambda: treasure.rename(loot),
        "deletes it": treasure.unlink,
    }
    found = []
    for name, deed in deeds.items():
        with suppress(OSError):
            deed()
            found.append(name)
    raise BadImage(f"It found: {', '.join(found) or 'nothing'}")
    yield GREY


class Range(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("size", ctypes.c_size_t))


def spy(_: RenditionSpec) -> Results:
    """Try to read the memory of the process that forked this one: what lies here at an address lies there, too."""
    copy = ctypes.create_string_buffer(len(MARK.raw))
    theirs, ours = Range(ctypes.addressof(MARK), len(copy)), Range(ctypes.addressof(copy), len(copy))
    libc.process_vm_readv(os.getppid(), ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0)
    raise BadImage(f"It found: {copy.value.decode() or 'nothing'}")
    yield GREY


def threaten(_: RenditionSpec) -> Results:
    """Try to send a signal to the process that forked this one; this signal would do nothing."""
    with suppress(PermissionError):
        os.kill(os.getppid(), 0)
        raise BadImage("It found: somebody")
    raise BadImage("It found: nobody")
    yield GREY


def other_format(spec: RenditionSpec) -> Results:
    yield Rendition(spec, 8, 8, WEBP)


def enlarged(spec: RenditionSpec) -> Results:
    yield Rendition(spec, spec.width + 1, 8, JPEG)


def no_size(spec: RenditionSpec) -> Results:
    yield Rendition(spec, 8, 0, JPEG)


def twice(spec: RenditionSpec) -> Results:
    yield Rendition(spec, 8, 8, JPEG)
    yield Rendition(spec, 8, 8, JPEG)


def huge_file(spec: RenditionSpec) -> Results:
    yield Rendition(spec, 8, 8, JPEG + bytes(1_000_000))


def huge_preview(_: RenditionSpec) -> Results:
    yield Placeholder(WEBP + bytes(1_000_000), "#808080")


def other_preview(_: RenditionSpec) -> Results:
    yield Placeholder(JPEG, "#808080")


def other_colour(_: RenditionSpec) -> Results:
    yield Placeholder(None, "url(//)")


def two_placeholders(_: RenditionSpec) -> Results:
    yield GREY
    yield GREY


def no_placeholder(spec: RenditionSpec) -> Results:
    yield Rendition(spec, 8, 8, JPEG)


def long_sentence(_: RenditionSpec) -> Results:
    raise BadImage("Oh. " * 100_000)
    yield GREY


def odd_sentence(_: RenditionSpec) -> Results:
    raise BadImage("Oh.\x1b[2J")
    yield GREY
