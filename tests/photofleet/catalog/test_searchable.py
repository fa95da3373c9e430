"""What the search looks through follows what labels mean."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import Engine, event, func, select, text
from sqlalchemy.orm import Session

from photofleet.catalog import searchable
from photofleet.catalog.models import Label
from photofleet.catalog.results import FoundLabel, record_labels
from photofleet.catalog.search import search_photos
from photofleet.catalog.search.traits import FORMATS, SHAPES
from photofleet.catalog.searchable import bring_up_to_date
from photofleet.catalog.thresholds import adjust_threshold
from photofleet.images.formats import Format
from tests.photofleet.catalog.factories import PEMBROKE, TABBY, create_finished_photo, create_photo


@contextmanager
def interrupted(engine: Engine, *, after: int) -> Iterator[None]:
    """Have Ctrl-C come after so many spans of photos."""
    spans = 0

    def count(_: object, __: object, statement: str, *___: object) -> None:
        nonlocal spans
        spans += "make_searchable" in statement
        if spans > after:
            raise KeyboardInterrupt

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", count)


def found(session: Session, query: str) -> set[UUID]:
    return {photo.id for photo in search_photos(session, query, owner="everybody", limit=50).photos}


@pytest.mark.parametrize("format", Format)
def test_photos_of_every_format_are_found_by_it(session: Session, format: Format) -> None:
    photo = create_photo(session, format=format.value)
    create_photo(session, format=next(other.value for other in Format if other is not format))

    assert found(session, f"type:{format.value}") == {photo.id}


@pytest.mark.parametrize("shape", SHAPES)
def test_photos_of_every_shape_are_found_by_it(session: Session, shape: str) -> None:
    photos = {
        "landscape": create_photo(session, width=3000, height=2000).id,
        "portrait": create_photo(session, width=2000, height=3000).id,
        "square": create_photo(session, width=2000, height=2000).id,
    }

    assert found(session, f"orientation:{shape}") == {photos[shape]}


def test_no_two_traits_have_the_same_number() -> None:
    numbers = [*FORMATS.values(), *SHAPES.values()]

    assert len(numbers) == len(set(numbers))
    assert max(numbers) < 0
    assert set(FORMATS) == {format.value for format in Format}


def test_photos_are_found_by_the_threshold_in_force_however_many_they_are(
    catalog: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searchable, "SPAN", 2)
    corgis = {create_finished_photo(session, PEMBROKE).id for _ in range(5)}
    both = create_finished_photo(session, PEMBROKE, TABBY).id
    session.commit()

    adjust_threshold(session, PEMBROKE, 0.95)
    session.commit()
    bring_up_to_date(catalog)
    assert found(session, "dog") == set()
    assert found(session, "cat") == {both}

    adjust_threshold(session, PEMBROKE, None)
    session.commit()
    bring_up_to_date(catalog)
    assert found(session, "dog") == {*corgis, both}


def test_what_is_not_sure_enough_any_more_is_found_until_the_search_follows(catalog: Engine, session: Session) -> None:
    doubtful = create_finished_photo(session, PEMBROKE, TABBY).id
    record_labels(session, doubtful, "net@1", [FoundLabel(PEMBROKE, 0.6), FoundLabel(TABBY, 0.9)])
    surer = create_finished_photo(session, PEMBROKE).id

    adjust_threshold(session, PEMBROKE, 0.7)
    session.commit()
    assert found(session, "dog") == {doubtful, surer}

    bring_up_to_date(catalog)
    assert found(session, "dog") == {surer}


def test_a_threshold_that_changes_again_meanwhile_counts(catalog: Engine, session: Session) -> None:
    corgi = create_finished_photo(session, PEMBROKE).id
    adjust_threshold(session, PEMBROKE, 0.95)
    session.commit()
    again = [0.5]

    def change_again(_: object, __: object, statement: str, *___: object) -> None:
        if "UPDATE labels SET outdated" in statement and again:
            adjust_threshold(session, PEMBROKE, again.pop())
            session.commit()

    event.listen(catalog, "before_cursor_execute", change_again)
    try:
        bring_up_to_date(catalog)
    finally:
        event.remove(catalog, "before_cursor_execute", change_again)

    assert found(session, "dog") == {corgi}


def test_what_was_broken_off_is_done_by_the_next(
    catalog: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searchable, "SPAN", 1)
    for _ in range(3):
        create_finished_photo(session, PEMBROKE)
    adjust_threshold(session, PEMBROKE, 0.95)
    session.commit()

    with pytest.raises(KeyboardInterrupt), interrupted(catalog, after=2):
        bring_up_to_date(catalog)
    assert len(found(session, "dog")) == 1
    session.rollback()

    bring_up_to_date(catalog)
    assert found(session, "dog") == set()
    assert session.scalar(select(func.count()).select_from(Label).where(Label.outdated > 0)) == 0


def test_whoever_labels_a_photo_while_a_threshold_changes_is_waited_for(catalog: Engine, session: Session) -> None:
    photo = create_finished_photo(session)
    session.commit()

    with ThreadPoolExecutor() as pool:
        with Session(catalog) as worker:
            record_labels(worker, photo.id, "net@1", [FoundLabel(PEMBROKE, 0.9)])
            worker.flush()
            adjust_threshold(session, PEMBROKE, 0.95)
            session.commit()
            others = pool.submit(bring_up_to_date, catalog)
            while not session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) and not others.done():
                session.rollback()
            worker.commit()
        others.result()

    session.rollback()
    assert found(session, "dog") == set()
