"""A photo's renditions, made in the sandbox: what it is asked for, and what it may answer."""

import atexit
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import astuple
from typing import IO, Any

from photofleet.images.formats import SNIFF_BYTES, Format, sniff
from photofleet.images.renditions import MAX_SIDE, Mode, RenditionSpec
from workers.resize.renditions import make_renditions
from workers.resize.results import Placeholder, Rendition
from workers.sandbox import Sandbox, SandboxError
from workers.sandbox.answers import RESULT, Answer, Header, Work

MAX_PREVIEW_BYTES = 1024

_PLACEHOLDER, _RENDITION = RESULT, RESULT + 1

_MAX_BYTES_PER_PIXEL = 4
"""More than the best quality of noise takes in any format that we make."""

_MAX_OVERHEAD_BYTES = 65_536
"""Of a file, beside its pixels."""

_COLOUR = re.compile(rb"#[0-9a-f]{6}")


def render(
    original: IO[bytes],
    format: Format,
    specs: Sequence[RenditionSpec],
    *,
    max_pixels: int,
    sandbox: Sandbox | None = None,
) -> Generator[Placeholder | Rendition, None, None]:
    """Yield a photo's placeholder and renditions, each while the next is made; see `make_renditions`.

    Whoever stops before the end closes the iterator, or drops it. What is raised is said at `Sandbox.run`.
    """
    arguments = {"format": format, "specs": [astuple(spec) for spec in specs], "max_pixels": max_pixels}
    expected = Renditions(specs, max_pixels)
    with closing((sandbox or _sandbox).run(original, arguments, expected, max_pixels=max_pixels)) as answers:
        for answer in answers:
            yield expected.read(answer)


class Renditions:
    """What results there have to be: a placeholder, and of each rendition at most one."""

    def __init__(self, specs: Sequence[RenditionSpec], max_pixels: int) -> None:
        self._specs, self._max_pixels = specs, max_pixels
        self._owed = set(range(len(specs)))
        self._has_placeholder = False

    def check(self, header: Header) -> None:
        """Refuse what was not asked for, or is larger than it can be. Raises SandboxError."""
        match header.kind:
            case kind if kind == _RENDITION and header.number in self._owed:
                self._owed.remove(header.number)
                self._check_size(header)
            case kind if kind == _PLACEHOLDER and not self._has_placeholder:
                self._has_placeholder = True
                if header.size > len("#rrggbb") + MAX_PREVIEW_BYTES:
                    raise SandboxError(f"answered with a placeholder of {header.size} bytes")
            case _:
                raise SandboxError(f"answered out of turn: {header}")

    def is_complete(self) -> bool:
        """Whether nothing is missing: there are fewer renditions of what does not move."""
        return self._has_placeholder

    def read(self, answer: Answer) -> Placeholder | Rendition:
        """Return what an answer holds. Raises SandboxError where that is something else than it says."""
        if answer.kind == _PLACEHOLDER:
            return _placeholder(answer.data)
        spec = self._specs[answer.number]
        if sniff(answer.data[:SNIFF_BYTES]) is not spec.format:
            raise SandboxError(f"answered with a {spec.name} that is no {spec.format.display_name}")
        return Rendition(spec, answer.width, answer.height, answer.data)

    def _check_size(self, header: Header) -> None:
        _, index, width, height, size = header
        spec, most = self._specs[index], self._max_pixels
        fits = 1 <= width <= spec.width and 1 <= height <= (spec.height or MAX_SIDE) and width * height <= most
        pixels = most if spec.mode is Mode.ANIMATION else width * height  # those of all its frames
        if not fits or size > pixels * _MAX_BYTES_PER_PIXEL + _MAX_OVERHEAD_BYTES:
            raise SandboxError(f"answered with a {spec.name} of {width} × {height} pixels in {size} bytes")


def answering(make: Callable[..., Iterator[Placeholder | Rendition]]) -> Work:
    """Return what has a function like `make_renditions` work in the sandbox."""

    def work(content: bytes, arguments: dict[str, Any]) -> Iterator[Answer]:
        specs = tuple(
            RenditionSpec(name, width, height, Mode(mode), Format.named(format), quality, effort)
            for name, width, height, mode, format, quality, effort in arguments["specs"]
        )
        format = Format.named(arguments["format"])
        for result in make(content, format, specs, max_pixels=arguments["max_pixels"]):
            match result:
                case Placeholder(preview, colour):
                    yield Answer(_PLACEHOLDER, colour.encode() + (preview or b""))
                case Rendition(spec, width, height, data):
                    yield Answer(_RENDITION, data, specs.index(spec), width, height)

    return work


def _placeholder(content: bytes) -> Placeholder:
    colour, preview = content[: len("#rrggbb")], content[len("#rrggbb") :]
    if not _COLOUR.fullmatch(colour) or (preview and sniff(preview) is not Format.WEBP):
        raise SandboxError("answered with a placeholder that is none")
    return Placeholder(preview or None, colour.decode())


work = answering(make_renditions)

_sandbox = Sandbox("workers.resize.sandbox:work")
atexit.register(_sandbox.close)
