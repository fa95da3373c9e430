"""Small pictures made for tests: good ones in every format, and the bad ones that people and attackers send."""

import random
import struct
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO

import pillow_heif
from PIL import ExifTags, Image

from photofleet.images.formats import Format

RED, GREEN, BLUE, WHITE = (250, 10, 10), (10, 200, 10), (10, 10, 250), (255, 255, 255)


def corners(width: int = 64, height: int = 48) -> Image.Image:
    """A picture whose quarters tell which way up it is: red, green (top), blue, white (bottom)."""
    picture = Image.new("RGB", (2, 2))
    picture.putdata([RED, GREEN, BLUE, WHITE])
    return picture.resize((width, height), Image.Resampling.NEAREST)


def encode(picture: Image.Image, format: Format, **options: object) -> bytes:
    """The picture as a file; options are those of Pillow's `save`."""
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    output = BytesIO()
    picture.save(output, format.pillow_name, **options)
    return output.getvalue()


def animation(format: Format, *pictures: Image.Image, **options: object) -> bytes:
    first, *others = pictures
    return encode(first, format, save_all=True, append_images=others, **options)


def exif(orientation: int = 1, taken: str | None = None, offset: str | None = None) -> bytes:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    tags[ExifTags.Base.Make] = "Spy camera"
    tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    details = tags.get_ifd(ExifTags.IFD.Exif)
    if taken:
        details[ExifTags.Base.DateTimeOriginal] = taken
    if offset:
        details[ExifTags.Base.OffsetTimeOriginal] = offset
    return tags.tobytes()


def stored_as(upright: Image.Image, orientation: int) -> Image.Image:
    """The pixels that a camera stores, with this EXIF orientation, for a picture that is to look like `upright`."""
    flip, turn = Image.Transpose, upright.transpose
    return {
        1: upright.copy,
        2: lambda: turn(flip.FLIP_LEFT_RIGHT),
        3: lambda: turn(flip.ROTATE_180),
        4: lambda: turn(flip.FLIP_TOP_BOTTOM),
        5: lambda: turn(flip.TRANSPOSE),
        6: lambda: turn(flip.ROTATE_90),
        7: lambda: turn(flip.TRANSVERSE),
        8: lambda: turn(flip.ROTATE_270),
    }[orientation]()


def display_p3() -> bytes:
    """An ICC profile with the primaries of Display P3 and gamma 2.2 (ICC.1:2001-04)."""
    colorants = {
        b"wtpt": (0.9642, 1.0, 0.8249),
        b"rXYZ": (0.5151, 0.2412, -0.0011),
        b"gXYZ": (0.2920, 0.6922, 0.0419),
        b"bXYZ": (0.1571, 0.0666, 0.7841),
    }
    curve = struct.pack(">4s4xIH2x", b"curv", 1, round(2.2 * 256))
    tags = {kind: struct.pack(">4s4x3i", b"XYZ ", *(round(v * 65536) for v in xyz)) for kind, xyz in colorants.items()}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    tags[b"desc"] = struct.pack(">4s4xI3s79x", b"desc", 3, b"P3\0") + bytes(2)
    tags[b"cprt"] = b"text" + bytes(4) + b"none"
    offset = 128 + 4 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for kind, data in tags.items():
        table += struct.pack(">4sII", kind, offset + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    header = struct.pack(">8xI4s4s4s12x4s", 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp").ljust(68, b"\0")
    header += struct.pack(">3i", *(round(value * 65536) for value in colorants[b"wtpt"]))
    profile = header.ljust(128, b"\0") + table + content
    return struct.pack(">I", len(profile)) + profile[4:]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(*chunks: bytes, size: tuple[int, int] = (8, 8)) -> bytes:
    """A PNG that claims this size, holds a few pixels, and has more chunks before them."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(bytes(8 * 25)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + png_chunk(b"IEND", b"")


def gif_of(frames: int, size: tuple[int, int] = (1, 1)) -> bytes:
    """A GIF that claims this many frames of this size, with hardly a pixel in any."""
    frame = b"," + struct.pack("<HHHHB", 0, 0, *size, 0) + b"\x02\x02\x4c\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", *size, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + frame * frames + b";"


def jpeg_claiming(width: int, height: int) -> bytes:
    """No more than the header of a JPEG of this size."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    scan = b"\x01\x01\x00\x00\x3f\x00"
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xda\x00\x08" + scan


def noise(width: int, height: int, seed: str) -> Image.Image:
    """A picture unlike that of any other seed."""
    return Image.frombytes("RGB", (width, height), random.Random(seed).randbytes(3 * width * height))


def jpeg_of_scans(count: int) -> bytes:
    """A good progressive JPEG with its last scan, which refines a coefficient, repeated until there are so many."""
    content = encode(corners(), Format.JPEG, progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + last * (count - content.count(b"\xff\xda")) + content[-2:]


def tiff_saying(tags: Mapping[int, Sequence[int]], *, size: tuple[int, int] = (8, 8), order: str = "<") -> bytes:
    """No more than the directory of a TIFF of this size, which says these things in numbers of four bytes."""
    entries, values = b"", b""
    tags = {256: [size[0]], 257: [size[1]], **tags}
    start = 8 + 2 + 12 * len(tags) + 4
    for tag, numbers in sorted(tags.items()):
        data = struct.pack(f"{order}{len(numbers)}L", *numbers)
        place = data if len(data) == 4 else struct.pack(f"{order}L", start + len(values))
        entries += struct.pack(f"{order}HHL4s", tag, 4, len(numbers), place)
        values += data if len(data) > 4 else b""
    header = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HL", 42, 8)
    return header + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values


def avif_claiming(size: tuple[int, int], content: bytes) -> bytes:
    """An AVIF that says in all of its boxes that it is of this size, whatever it holds."""
    start = content.index(b"ispe")
    return content.replace(content[start : start + 16], b"ispe" + struct.pack(">III", 0, *size))
