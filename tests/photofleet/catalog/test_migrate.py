from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, delete, func, insert, make_url, select, text
from sqlalchemy.orm import Session

from photofleet.catalog.migrate import is_current, migrate, upgrade_schema
from photofleet.catalog.models import Base, Label, LabelAncestor, LabelTerm, Photo, Searchable
from photofleet.catalog.searchable import bring_up_to_date
from photofleet.catalog.taxonomy import load_taxonomy
from photofleet.catalog.taxonomy_tables import store_taxonomy
from photofleet.local.postgres import EmbeddedPostgres
from tests.photofleet.catalog.factories import DOG, PEMBROKE, TABBY, create_finished_photo


@pytest.mark.filterwarnings("ignore:Can't validate argument 'dialect_options'")  # of how itself reads NOT VALID
@pytest.mark.filterwarnings("ignore:Did not recognize type 'halfvec'")
def test_the_migrations_make_exactly_the_tables_that_the_models_describe(catalog: Engine) -> None:
    with catalog.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


@pytest.fixture
def before(postgres: EmbeddedPostgres) -> Iterator[Engine]:
    """A database of its own, as the version before left it, with one photo and its label."""
    server = create_engine(postgres.url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE before"))
    engine = create_engine(make_url(postgres.url).set(database="before"))
    with engine.begin() as connection:
        upgrade_schema(connection, "0003")
        for statement in OF_THE_VERSION_BEFORE:
            connection.execute(text(statement))
    yield engine
    engine.dispose()
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE before"))
    server.dispose()


OF_THE_VERSION_BEFORE = [
    "INSERT INTO photos (id, owner, filename, sha256, size, format, width, height, request_id)"
    " VALUES (gen_random_uuid(), 'ada', 'cat.jpg', sha256(gen_random_uuid()::text::bytea), 1, 'jpeg', 4, 3, 'r1')",
    "INSERT INTO labels (id, name, synonyms, parents) VALUES ('n0', 'phlogiston', '{}', '{}')"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    "INSERT INTO photo_labels (photo_id, label_id, source, confidence)"
    " SELECT id, 'n0', 'net@1', 0.9 FROM photos ON CONFLICT DO NOTHING",
    "DELETE FROM photo_labels WHERE source = 'net@0'",
]
"""What it writes to the tables that have changed since."""

ADD = text("INSERT INTO photo_labels (photo_id, label_id, source, confidence) VALUES (:photo, :label, 'net@1', 0.9)")


def test_what_the_version_before_stored_is_shown_and_outdated_and_it_goes_on(before: Engine) -> None:
    migrate(before)

    with before.begin() as connection:
        for statement in OF_THE_VERSION_BEFORE:
            connection.execute(text(statement))
    with Session(before) as session:
        photos = session.scalars(select(Photo)).all()
        assert [photo.labels_source for photo in photos] == [None, None]
        assert [[label.confidence for label in photo.shown_labels] for photo in photos] == [[0.9], [0.9]]


def test_a_migration_that_was_broken_off_is_finished_with_what_has_come_in_since(before: Engine) -> None:
    with before.begin() as connection:
        upgrade_schema(connection, "0004")
        store_taxonomy(connection)
        upgrade_schema(connection, "0005")
    with Session(before) as session, session.begin():
        [photo] = session.scalars(select(Photo.id))
        session.execute(ADD, {"photo": photo, "label": PEMBROKE})
        session.execute(text(OF_THE_VERSION_BEFORE[0]))
    assert not is_current(before)

    migrate(before)

    assert is_current(before)
    with Session(before) as session:
        dog = session.scalars(select(Label.number).where(Label.id == DOG)).one()
        found = session.scalars(select(Searchable).order_by(Searchable.at)).all()
        assert [dog in row.kinds for row in found] == [True, False]
        assert session.scalar(text("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_photos_filename'::regclass"))


def test_a_migration_that_is_kept_waiting_steps_back_and_tries_again(
    before: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with before.connect() as reader:
        reader.execute(select(func.count(Photo.id)))
        monkeypatch.setattr("photofleet.catalog.migrate.sleep", lambda seconds: reader.rollback())

        migrate(before)

        assert not reader.in_transaction()
    assert is_current(before)


def test_photos_are_found_under_the_kinds_of_a_taxonomy_that_has_changed(catalog: Engine, session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    other = create_finished_photo(session, TABBY)
    session.commit()
    kinds = [_kinds(session, photo.id), _kinds(session, other.id)]
    is_dog = (LabelAncestor.ancestor_id == DOG) & (LabelAncestor.label_id == PEMBROKE)
    session.execute(delete(LabelAncestor).where(is_dog))
    session.execute(insert(LabelAncestor).values(ancestor_id=DOG, label_id=TABBY))
    session.execute(text("SELECT make_searchable(ARRAY(SELECT id FROM photos))"))
    session.commit()
    assert [_kinds(session, photo.id), _kinds(session, other.id)] != kinds

    migrate(catalog)
    bring_up_to_date(catalog)

    assert [_kinds(session, photo.id), _kinds(session, other.id)] == kinds


def test_a_taxonomy_that_has_not_changed_is_not_written_again(catalog: Engine) -> None:
    def rows() -> list[object]:
        with catalog.connect() as connection:
            return [
                connection.execute(select(text("ctid::text"), text("xmin::text")).select_from(table)).all()
                for table in (LabelTerm, LabelAncestor)
            ]

    stored = rows()

    migrate(catalog)

    assert rows() == stored


def test_two_who_label_a_photo_at_the_same_time_both_have_it_found(catalog: Engine, session: Session) -> None:
    photo = create_finished_photo(session)
    session.commit()

    def label(label_id: str) -> None:
        with catalog.begin() as connection:
            connection.execute(ADD, {"photo": photo_id, "label": label_id})

    photo_id = photo.id
    with ThreadPoolExecutor() as pool:
        with catalog.begin() as connection:
            connection.execute(ADD, {"photo": photo_id, "label": PEMBROKE})
            other = pool.submit(label, TABBY)
            while not session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) and not other.done():
                session.rollback()
        other.result()

    numbers = session.scalars(select(Label.number).where(Label.id.in_([PEMBROKE, TABBY])))
    assert set(numbers) <= set(_kinds(session, photo_id))


def _kinds(session: Session, photo: UUID) -> list[int]:
    session.rollback()
    return sorted(session.scalars(select(Searchable.kinds).where(Searchable.photo_id == photo)).one())


def test_migrating_again_changes_nothing_and_keeps_the_photos(catalog: Engine, session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    session.commit()

    migrate(catalog)

    session.expire_all()
    assert [label.id for label in photo.shown_labels] == [PEMBROKE]
    assert session.scalar(select(func.count()).select_from(Label)) == len(load_taxonomy())


def test_a_label_that_left_the_taxonomy_stays_on_photos_but_is_found_no_more(catalog: Engine, session: Session) -> None:
    session.add(Label(id="n00000000", name="phlogiston", synonyms=[], parents=[]))
    session.flush()
    photo = create_finished_photo(session, "n00000000")
    session.commit()

    migrate(catalog)

    session.expire_all()
    assert [label.name for label in photo.shown_labels] == ["phlogiston"]
    assert not session.scalars(select(LabelAncestor).where(LabelAncestor.label_id == "n00000000")).all()


def test_the_lock_of_a_migration_is_given_back(catalog: Engine) -> None:
    migrate(catalog)

    with catalog.connect() as connection:
        locks = connection.execute(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")).scalar()
    assert locks == 0


@pytest.fixture
def set_revision(catalog: Engine) -> Iterator[Callable[[str], str]]:
    """A function that has the database say that it is at another revision, until the test ends; returns the old."""
    statement = text("UPDATE alembic_version SET version_num = :revision RETURNING old.version_num")

    def change(revision: str) -> str:
        with catalog.begin() as connection:
            old: str = connection.execute(statement, {"revision": revision}).scalar_one()
            return old

    own = change("none")
    yield change
    change(own)


def test_a_schema_is_current_once_it_is_migrated(catalog: Engine) -> None:
    assert is_current(catalog)


@pytest.mark.parametrize(("revision", "current"), [("0001", False), ("9999", True)], ids=["older", "newer"])
def test_a_schema_is_current_unless_it_is_that_of_a_version_before(
    catalog: Engine, set_revision: Callable[[str], str], revision: str, current: bool
) -> None:
    set_revision(revision)

    assert is_current(catalog) == current


def test_a_version_that_is_rolled_back_to_leaves_a_newer_schema_alone(
    catalog: Engine, set_revision: Callable[[str], str]
) -> None:
    set_revision("9999")

    migrate(catalog, with_roles=True)

    assert set_revision("9999") == "9999"


def test_an_empty_database_is_not_current(postgres: EmbeddedPostgres) -> None:
    engine = create_engine(make_url(postgres.url).set(database="postgres"))

    assert not is_current(engine)

    engine.dispose()
