"""What everyone is to make of a photo, as ours declares it; contestants import it, so it imports little."""

from photofleet.images.renditions import RenditionSpec, parse_renditions

WIDTHS = (160, 320, 640, 1280, 2048)
QUALITY = 80


def specs(*formats: str) -> tuple[RenditionSpec, ...]:
    """Five renditions in each of these formats: baseline JPEG, WebP by method 4, AVIF at speed 9."""
    files = f"jpeg:{QUALITY}:0 webp:{QUALITY}:4 avif:63:1"
    declared = parse_renditions(", ".join(f"w{width} {width} {files}" for width in WIDTHS))
    return tuple(spec for spec in declared if spec.format in formats)
