"""What is known of a photo beside its labels, as numbers that the index of what photos show has, too.

Numbers above zero are labels'. The function `shown_by` of migration 0005 gives photos these; a format that is new here
has to be new there.
"""

from collections.abc import Mapping

from photofleet.images.formats import Format

_FORMATS = (Format.JPEG, Format.PNG, Format.WEBP, Format.GIF, Format.AVIF, Format.HEIC, Format.TIFF)

FORMATS: Mapping[str, int] = {format.value: -number for number, format in enumerate(_FORMATS, start=1)}

SHAPES: Mapping[str, int] = {"square": -101, "portrait": -102, "landscape": -103}
