from sqlalchemy.orm import Session

from photofleet.catalog.photos import get_photo
from photofleet.catalog.results import FoundLabel, StoredRendition, record_labels, record_renditions
from tests.photofleet.catalog.factories import ESPRESSO, PEMBROKE, TABBY, create_photo


def test_renditions_recorded_again_replace_those_recorded_before(session: Session) -> None:
    photo = create_photo(session)
    large = StoredRendition("w640", "jpeg", 640, 480, 9000, "renditions/x/w640.jpg")
    small = StoredRendition("w160", "webp", 160, 120, 900, "renditions/x/w160.webp")
    record_renditions(session, photo.id, [large, small])
    record_renditions(session, photo.id, [large])
    session.expire_all()

    found = get_photo(session, photo.id)

    assert found is not None
    assert [(r.name, r.format, r.width, r.height, r.size, r.key) for r in found.renditions] == [
        ("w640", "jpeg", 640, 480, 9000, "renditions/x/w640.jpg")
    ]


def test_a_source_replaces_its_own_labels_and_leaves_those_of_others(session: Session) -> None:
    photo = create_photo(session)
    record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.9), FoundLabel(ESPRESSO, 0.2)])
    record_labels(session, photo.id, "ada", [FoundLabel(TABBY, 1)])
    record_labels(session, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.8)])
    session.expire_all()

    found = get_photo(session, photo.id)

    assert found is not None
    assert [(label.label_id, label.source, label.confidence) for label in found.labels] == [
        (TABBY, "ada", 1),
        (PEMBROKE, "net@1", 0.8),
    ]
