from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from photofleet.catalog.identifiers import uuid7
from photofleet.catalog.photos import find_duplicate, get_photo, get_photos, newest_photos
from tests.photofleet.catalog.factories import create_photo


def test_a_new_photo_waits_for_every_stage(session: Session) -> None:
    photo = create_photo(session)

    assert [(stage.name, stage.state, stage.attempts) for stage in photo.stages] == [
        ("resize", "waiting", 0),
        ("label", "waiting", 0),
    ]


def test_the_same_bytes_of_the_same_owner_are_one_photo(session: Session) -> None:
    first = create_photo(session, sha256=b"a" * 32)

    found = find_duplicate(session, "everybody", b"a" * 32)

    assert found is not None
    assert found.id == first.id
    assert find_duplicate(session, "somebody", b"a" * 32) is None


def test_the_same_bytes_of_another_owner_are_another_photo(session: Session) -> None:
    first = create_photo(session, sha256=b"a" * 32, owner="one")
    second = create_photo(session, sha256=b"a" * 32, owner="two")

    assert first.id != second.id


def test_a_deleted_photo_is_not_found_and_its_bytes_may_come_again(session: Session) -> None:
    first = create_photo(session, sha256=b"a" * 32)
    first.deleted_at = datetime.now(UTC)
    session.flush()

    assert get_photo(session, first.id) is None
    assert find_duplicate(session, "everybody", b"a" * 32) is None
    assert newest_photos(session, before=None, limit=10).photos == []
    create_photo(session, sha256=b"a" * 32)


def test_pages_go_through_all_photos_newest_first_and_end(session: Session) -> None:
    ids = [create_photo(session).id for _ in range(5)]
    seen: list[UUID] = []
    before = None
    for size in (2, 2, 1):
        page = newest_photos(session, before=before, limit=2)
        assert len(page.photos) == size
        seen += [photo.id for photo in page.photos]
        before = page.next_before

    assert before is None
    assert seen == sorted(ids, reverse=True)


def test_a_photo_that_arrives_while_somebody_pages_moves_nothing(session: Session) -> None:
    for _ in range(4):
        create_photo(session)
    first = newest_photos(session, before=None, limit=2)
    create_photo(session)

    second = newest_photos(session, before=first.next_before, limit=2)

    assert {photo.id for photo in first.photos}.isdisjoint(photo.id for photo in second.photos)
    assert len(second.photos) == 2


def test_photos_are_found_by_their_ids_and_strangers_are_left_out(session: Session) -> None:
    one, two = create_photo(session), create_photo(session)

    found = get_photos(session, [one.id, uuid7(), two.id])

    assert {photo.id for photo in found} == {one.id, two.id}
