from collections.abc import Callable, Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, func, make_url, select, text
from sqlalchemy.orm import Session

from photofleet.catalog.migrate import is_current, migrate, upgrade_schema
from photofleet.catalog.models import Base, Label, LabelAncestor, Photo
from photofleet.catalog.taxonomy import load_taxonomy
from photofleet.local.postgres import EmbeddedPostgres
from tests.photofleet.catalog.factories import PEMBROKE, create_finished_photo


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


def test_what_the_version_before_stored_is_shown_and_outdated_and_it_goes_on(before: Engine) -> None:
    migrate(before)

    with before.begin() as connection:
        for statement in OF_THE_VERSION_BEFORE:
            connection.execute(text(statement))
    with Session(before) as session:
        photos = session.scalars(select(Photo)).all()
        assert [photo.labels_source for photo in photos] == [None, None]
        assert [[label.confidence for label in photo.shown_labels] for photo in photos] == [[0.9], [0.9]]


def test_migrating_again_changes_nothing_and_keeps_the_photos(catalog: Engine, session: Session) -> None:
    photo = create_finished_photo(session, PEMBROKE)
    session.commit()

    migrate(catalog)

    session.expire_all()
    assert [label.label_id for label in photo.labels] == [PEMBROKE]
    assert session.scalar(select(func.count()).select_from(Label)) == len(load_taxonomy())


def test_a_label_that_left_the_taxonomy_stays_on_photos_but_is_found_no_more(catalog: Engine, session: Session) -> None:
    session.add(Label(id="n00000000", name="phlogiston", synonyms=[], parents=[]))
    session.flush()
    photo = create_finished_photo(session, "n00000000")
    session.commit()

    migrate(catalog)

    session.expire_all()
    assert [label.label.name for label in photo.labels] == ["phlogiston"]
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
