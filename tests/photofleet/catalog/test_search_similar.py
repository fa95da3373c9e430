import math
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from photofleet.catalog.models import Photo
from photofleet.catalog.results import record_labels
from photofleet.catalog.search import TooSlowError, similar, similar_photos
from photofleet.catalog.superseded import delete_superseded
from photofleet.catalog.vector import DIMENSIONS
from tests.photofleet.catalog.factories import create_finished_photo


def vector(angle: float) -> list[float]:
    """An embedding that points that way."""
    return [math.cos(angle), math.sin(angle)] + [0.0] * (DIMENSIONS - 2)


def seen_at(session: Session, angle: float, source: str = "net@1") -> Photo:
    """A photo whose embedding points that way."""
    photo = create_finished_photo(session)
    record_labels(session, photo.id, source, [], embedding=vector(angle))
    session.expire(photo)
    return photo


def ids(photos: object) -> list[UUID]:
    """Which photos they are."""
    return [photo.id for photo in photos]  # type: ignore[attr-defined]


def test_photos_that_look_alike_come_in_order_of_likeness_without_the_photo_itself(session: Session) -> None:
    photo = seen_at(session, 0)
    far, near, middle = (seen_at(session, angle) for angle in (1.5, 0.1, 0.5))

    assert ids(similar_photos(session, photo, limit=10)) == [near.id, middle.id, far.id]
    assert ids(similar_photos(session, photo, limit=1)) == [near.id]


def test_what_another_model_saw_or_nobody_may_see_is_not_compared(session: Session) -> None:
    photo, near = seen_at(session, 0), seen_at(session, 0.1)
    seen_at(session, 0, source="net@2")
    hidden = seen_at(session, 0)
    hidden.visibility = "private"
    session.flush()

    assert ids(similar_photos(session, photo, limit=10)) == [near.id]


def test_until_a_refresh_is_done_photos_are_alike_by_what_the_model_before_saw(session: Session) -> None:
    photo, near = seen_at(session, 0), seen_at(session, 0.1)
    for refreshed, angle in ((photo, 1), (seen_at(session, 0.2), 1.1)):
        record_labels(session, refreshed.id, "net@2", [], embedding=vector(angle))
        session.expire(refreshed)

    assert ids(similar_photos(session, photo, limit=1)) == [near.id]

    delete_superseded(session, before=None)
    assert near.id not in ids(similar_photos(session, photo, limit=10))


@pytest.mark.parametrize("labelled", [True, False])
def test_a_photo_without_an_embedding_is_like_no_other(session: Session, labelled: bool) -> None:
    photo = create_finished_photo(session)
    if not labelled:
        photo.labels_source = None
    session.flush()

    assert similar_photos(session, photo, limit=10) == []


def test_likeness_that_takes_too_long_is_broken_off(
    catalog: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = seen_at(session, 0)
    session.commit()
    monkeypatch.setattr(similar, "MOST_MS", 50)
    with catalog.begin() as other:
        other.execute(text("LOCK TABLE embeddings IN ACCESS EXCLUSIVE MODE"))

        with pytest.raises(TooSlowError, match="in time"):
            similar_photos(session, photo, limit=10)
