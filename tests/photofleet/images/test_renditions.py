import pytest

from photofleet.images.formats import Format
from photofleet.images.renditions import DEFAULT_RENDITIONS, Mode, RenditionSpec, parse_renditions, revision


def test_the_default_makes_every_photo_as_jpeg_and_webp_in_five_widths():
    still = [spec for spec in parse_renditions(DEFAULT_RENDITIONS) if spec.mode is Mode.FIT]
    expected = [(width, format) for width in (160, 320, 640, 1280, 2048) for format in (Format.JPEG, Format.WEBP)]
    assert [(spec.width, spec.format) for spec in still] == expected


def test_everything_can_be_declared():
    specs = parse_renditions(
        "w320 320, square 400x300 cover jpeg:85:1 avif:60:2 webp:75, moving 640 animation webp:70:2"
    )
    assert specs == (
        RenditionSpec("w320", 320, None, Mode.FIT, Format.JPEG, 80, 0),
        RenditionSpec("w320", 320, None, Mode.FIT, Format.WEBP, 80, 4),
        RenditionSpec("square", 400, 300, Mode.COVER, Format.JPEG, 85, 1),
        RenditionSpec("square", 400, 300, Mode.COVER, Format.WEBP, 75, 4),
        RenditionSpec("square", 400, 300, Mode.COVER, Format.AVIF, 60, 2),
        RenditionSpec("moving", 640, None, Mode.ANIMATION, Format.WEBP, 70, 2),
    )


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        ("", "'' is no rendition"),
        ("w320", "'w320' is no rendition; it takes a name and a size, like 'w320 320'"),
        ("w320 320,", "'' is no rendition"),
        ("W 320", "'W' is no name"),
        ("../x 320", "is no name"),
        ("w0 0", "'0' is no size"),
        ("w9 99999", "'99999' is no size"),
        ("w9 9x", "'9x' is no size"),
        ("w9 9 cover", "only a box can be covered"),
        ("w9 9 png", "'png' is none of"),
        ("w9 9 jpeg:0", "no quality from 1 to 100"),
        ("w9 9 webp:80:7", "no effort from 0 to 6"),
        ("w9 9, w9 10", "w9 is declared twice"),
        ("a 9 animation", "none of the renditions shows the whole picture"),
        ("w9 9, a 9 animation jpeg", "an animation is made as webp only"),
        (", ".join(f"w{n} {n}" for n in range(1, 22)), "more than 20 renditions"),
    ],
)
def test_a_wrong_declaration_is_refused_by_name(declared: str, complaint: str):
    with pytest.raises(ValueError, match=complaint):
        parse_renditions(declared)


def test_a_revision_changes_with_whatever_changes_the_file():
    declared = ["w9 9", "w9 9 jpeg:81", "w9 9 jpeg:80:1", "w9 10", "w9 9x9", "w8 9", "w9 9x9 cover, all 9"]
    assert len({parse_renditions(text)[0].revision for text in declared}) == len(declared)
    assert len({revision(parse_renditions(text)) for text in declared}) == len(declared)


def test_a_revision_stays_when_others_change():
    assert parse_renditions("w9 9, w10 10")[0].revision == parse_renditions("w9 9 webp:1, w10 11")[0].revision
