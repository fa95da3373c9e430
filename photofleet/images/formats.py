"""The image formats that people may upload and that we produce, told apart by their content."""

from enum import StrEnum

#: How many of a file's first bytes `sniff` needs. Only AVIF and HEIC need more than 16: their list of brands.
SNIFF_BYTES = 128

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_CONTAINER_BRANDS = {b"mif1", b"msf1"}


class Format(StrEnum):
    """An image format; its value ("jpeg") is the name that the catalog and messages use.

    Attributes:
        content_type: its media type.
        extension: of file names and object keys, without the dot.
        pillow_name: what Pillow, or pillow_heif's plugin for it, calls the format.
        display_name: what people call it.
    """

    JPEG = "jpeg", "image/jpeg", "jpg", "JPEG", "JPEG"
    PNG = "png", "image/png", "png", "PNG", "PNG"
    WEBP = "webp", "image/webp", "webp", "WEBP", "WebP"
    GIF = "gif", "image/gif", "gif", "GIF", "GIF"
    AVIF = "avif", "image/avif", "avif", "AVIF", "AVIF"
    HEIC = "heic", "image/heic", "heic", "HEIF", "HEIC"
    TIFF = "tiff", "image/tiff", "tiff", "TIFF", "TIFF"

    content_type: str
    extension: str
    pillow_name: str
    display_name: str

    def __new__(cls, name: str, content_type: str, extension: str, pillow_name: str, display_name: str) -> "Format":
        """Keep what describes the format with its name."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.content_type = content_type
        member.extension = extension
        member.pillow_name = pillow_name
        member.display_name = display_name
        return member

    @classmethod
    def named(cls, name: str) -> "Format":
        """Return the format that the catalog knows by this name."""
        return cls[name.upper()]


def sniff(header: bytes) -> Format | None:
    """Return the format of the file that starts with these bytes (at least `SNIFF_BYTES`, or all it has).

    A file's name and declared type are never asked: they are whatever the sender likes.
    """
    if header.startswith(b"\xff\xd8\xff"):
        return Format.JPEG
    if header.startswith(b"\x89PNG\r\n\x1a\n"):
        return Format.PNG
    if header.startswith((b"GIF87a", b"GIF89a")):
        return Format.GIF
    if header.startswith(b"RIFF") and header[8:12] == b"WEBP":
        return Format.WEBP
    if header.startswith((b"II*\0", b"MM\0*")):
        return Format.TIFF
    if header[4:8] == b"ftyp":
        return _sniff_brands(header)
    return None


def _sniff_brands(header: bytes) -> Format | None:
    """Tell AVIF from HEIC by the brands in the file type box (ISO/IEC 14496-12, section 4.3).

    The major brand decides, unless it names only the container that both share ("mif1", or "msf1" for
    sequences); then the list of compatible brands says what is inside.
    """
    major = header[8:12]
    brands = {major}
    if major in _CONTAINER_BRANDS:
        end = min(int.from_bytes(header[:4]), len(header))
        brands = {header[start : start + 4] for start in range(16, end, 4)}
    if brands & _AVIF_BRANDS:
        return Format.AVIF
    if brands & _HEIC_BRANDS:
        return Format.HEIC
    return None
