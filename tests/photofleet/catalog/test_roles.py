"""What each tier may do in the database, as the user that `photofleet migrate` makes for it on RDS."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from photofleet.catalog.corrections import add_label, remove_label, take_back
from photofleet.catalog.judgements import all_corrections, corrections_of, judged_labels
from photofleet.catalog.migrate import is_current, migrate
from photofleet.catalog.models import Base, Photo
from photofleet.catalog.outdated import (
    Goal,
    count_outdated,
    labels_of,
    last_source,
    outcomes,
    outdated_photos,
    photos_under_way,
    renditions_of,
    reopen_outdated,
)
from photofleet.catalog.overdue import claim_overdue, note_announced
from photofleet.catalog.photos import find_duplicate, get_photos, get_present_photo, newest_photos
from photofleet.catalog.progress import failed_photos, finished_within, longest_waits, photos_by_id
from photofleet.catalog.results import FoundLabel, StoredRendition, record_labels, record_renditions, recorded_keys
from photofleet.catalog.roles import RDS_IAM, RIGHTS, WEB, WORKER
from photofleet.catalog.search import common_labels, search_photos, similar_photos, suggest
from photofleet.catalog.stages import (
    GAVE_UP,
    fail_stage,
    finish_stage,
    has_ended,
    postpone_stage,
    reopen_failed,
    reopen_stage,
    start_stage,
)
from photofleet.catalog.superseded import count_photos, delete_superseded
from photofleet.catalog.thresholds import adjust_threshold, prospects
from photofleet.catalog.vocabulary import label_called, labels_starting
from photofleet.cli import main
from photofleet.local.postgres import EmbeddedPostgres
from tests.photofleet.catalog.conftest import SignInWith, StoreSecret
from tests.photofleet.catalog.factories import DOG, PEMBROKE, create_photo

MASTER, DATABASE, PASSWORD = "master", "rds", "hunter2"
HOUR = timedelta(hours=1)

SessionOf = Callable[[str], Session]


@pytest.fixture(scope="module")
def rds(postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    """A database like a new one of RDS, whose owner is no superuser; and a superuser's connection to the server."""
    with psycopg.connect(postgres.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(RDS_IAM)))
        connection.execute(sql.SQL("CREATE ROLE master LOGIN CREATEROLE CREATEDB PASSWORD {}").format(PASSWORD))
        connection.execute(sql.SQL("GRANT {} TO master WITH ADMIN OPTION").format(sql.Identifier(RDS_IAM)))
        connection.execute("CREATE DATABASE rds OWNER master")
        with psycopg.connect(postgres.url.replace("+psycopg", ""), dbname=DATABASE, autocommit=True) as superuser:
            superuser.execute("CREATE EXTENSION vector")  # which the master of RDS may do
        yield connection
        connection.execute("DROP DATABASE rds WITH (FORCE)")
        for role in (WEB, WORKER, MASTER, RDS_IAM):
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


@pytest.fixture(scope="module")
def engine_of(postgres: EmbeddedPostgres, rds: psycopg.Connection) -> Iterator[Callable[[str], Engine]]:
    """A function that returns connections of a user of the migrated database."""
    server = make_url(postgres.url).set(password=PASSWORD, database=DATABASE)
    engines = {user: create_engine(server.set(username=user)) for user in (MASTER, *RIGHTS)}
    migrate(engines[MASTER], with_roles=True)
    for role in RIGHTS:  # a real one has none, and a token instead
        rds.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), PASSWORD))
    yield engines.__getitem__
    for engine in engines.values():
        engine.dispose()


@pytest.fixture
def as_(engine_of: Callable[[str], Engine]) -> Iterator[SessionOf]:
    """A function that returns the session of a user; what they do is seen by the others once it is committed."""
    sessions = {role: Session(engine_of(role), expire_on_commit=False) for role in RIGHTS}
    yield sessions.__getitem__
    for session in sessions.values():
        session.close()
    with engine_of(MASTER).begin() as owner:
        owner.execute(text("TRUNCATE photos CASCADE"))


@pytest.fixture
def photo(as_: SessionOf) -> Photo:
    """A photo that was just uploaded."""
    photo = create_photo(as_(WEB))
    as_(WEB).commit()
    return photo


def test_the_users_are_made_with_the_secret_of_a_master_as_on_rds(
    rds: psycopg.Connection,
    store_secret: StoreSecret,
    sign_in_with: SignInWith,
    tls_port: int,
    root_logging: None,
) -> None:
    secret = store_secret(json.dumps({"username": MASTER, "password": PASSWORD}))
    sign_in_with(tls_port, user=WEB, database=DATABASE, database_iam="true", database_secret=secret)

    for _ in range(2):
        result = CliRunner().invoke(main, ["migrate"])
        assert result.exit_code == 0, result.output

    found = rds.execute(
        "SELECT rolname, rolcanlogin, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls,"
        " array(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = pg_roles.oid)"
        " FROM pg_roles WHERE rolname = ANY (%s) ORDER BY 1",
        [list(RIGHTS)],
    ).fetchall()
    assert found == [(WEB, True, False, [RDS_IAM]), (WORKER, True, False, [RDS_IAM])]


def test_whoever_makes_the_users_may_sign_in_with_a_password_as_before(
    engine_of: Callable[[str], Engine], rds: psycopg.Connection
) -> None:
    """RDS refuses the passwords of its role's members, and of theirs; here, one has to be a member to grant it."""
    members = "SELECT member::regrole::text FROM pg_auth_members WHERE roleid::regrole::text = ANY (%s) ORDER BY 1"
    assert rds.execute(members, [[RDS_IAM]]).fetchall() == [(MASTER,), (WEB,), (WORKER,)]
    assert rds.execute(members, [list(RIGHTS)]).fetchall() == []


def test_a_secret_that_does_not_open_the_database_ends_the_migration_with_a_sentence(
    store_secret: StoreSecret, sign_in_with: SignInWith, tls_port: int, root_logging: None
) -> None:
    secret = store_secret(json.dumps({"username": "nobody", "password": PASSWORD}))
    sign_in_with(tls_port, user=WEB, database_iam="true", database_secret=secret)

    result = CliRunner().invoke(main, ["migrate"])

    assert result.exit_code == 1
    assert result.output.startswith("Error: The database does not answer as it should: connection failed: ")
    assert result.output.endswith('password authentication failed for user "nobody"\n')
    assert len(result.output.splitlines()) == 1


def test_the_web_tier_stores_photos_and_shows_and_finds_them(as_: SessionOf, photo: Photo) -> None:
    process_photo(as_, PEMBROKE)
    web = as_(WEB)

    assert find_duplicate(web, photo.owner, photo.sha256) == photo
    assert get_photos(web, [photo.id])
    assert len(newest_photos(web, before=None, limit=9).photos) == 2
    (found,) = search_photos(web, "dog -cat", owner="everybody", limit=9).photos
    assert [label.id for label in found.shown_labels] == [PEMBROKE]
    assert similar_photos(web, found, limit=9) == []
    assert suggest(web, "do", limit=9)
    assert common_labels(web, limit=9)


def test_people_correct_labels_on_the_web_tier_and_operators_set_thresholds_and_export(as_: SessionOf) -> None:
    process_photo(as_, PEMBROKE)
    web = as_(WEB)
    photo_id = newest_photos(web, before=None, limit=1).photos[0].id

    assert label_called(web, "dogs").id == DOG
    assert labels_starting(web, "do", limit=9)
    for label_id in (PEMBROKE, DOG):
        add_label(web, [photo_id], label_id, person="ada")
        remove_label(web, [photo_id], label_id, person="ada")
    assert {label.id for _, label in corrections_of(web, photo_id)} == {PEMBROKE, DOG}
    for label_id in (PEMBROKE, DOG):
        take_back(web, [photo_id], label_id)
    add_label(web, [photo_id], PEMBROKE, person="ada")
    adjust_threshold(web, PEMBROKE, 0.5)
    assert judged_labels(web)
    assert prospects(web, PEMBROKE, [0.5])
    adjust_threshold(web, PEMBROKE, None)
    web.commit()

    assert len(list(all_corrections(as_(WORKER)))) == 1


def process_photo(as_: SessionOf, *label_ids: str) -> None:
    """A photo that the web tier stores and workers resize and label, each twice, as messages may come twice."""
    web, worker = as_(WEB), as_(WORKER)
    photo = create_photo(web)
    web.commit()
    for stage in ("resize", "label"):
        assert start_stage(worker, photo.id, stage) == 1
        worker.commit()
        assert get_present_photo(worker, photo.id)
        assert finish_stage(worker, photo.id, stage)
        rendition = StoredRendition("w160", "jpeg", 160, 120, 900, f"renditions/{photo.id}/w160.jpg", "fit")
        for _ in range(2):
            record_renditions(worker, photo.id, [rendition], preview=b"webp", colour="#0a0b0c", revision="old")
            assert recorded_keys(worker, photo.id) == {rendition.key}
            record_labels(worker, photo.id, "net@1", [FoundLabel(label_id, 0.9) for label_id in label_ids])
        worker.commit()
    web.expire_all()


def test_a_worker_records_what_went_wrong(as_: SessionOf, photo: Photo) -> None:
    worker = as_(WORKER)
    start_stage(worker, photo.id, "resize")
    postpone_stage(worker, photo.id, "resize", "it broke", counts=False)
    fail_stage(worker, photo.id, "resize", GAVE_UP, "it broke")
    worker.commit()

    assert has_ended(worker, photo.id, "resize")


@pytest.mark.parametrize("user", [WEB, WORKER])
def test_either_user_will_do_for_who_watches_and_sweeps_and_tries_again(
    as_: SessionOf, photo: Photo, user: str
) -> None:
    fail_stage(as_(WORKER), photo.id, "resize", GAVE_UP)
    as_(WORKER).commit()
    session = as_(user)

    assert [failure.photos for failure in failed_photos(session, limit=9)] == [1]
    assert longest_waits(session, longest_attempt=HOUR).keys() == {"label"}
    assert finished_within(session, HOUR) == {}
    assert photos_by_id(session, [photo.id]).keys() == {photo.id}
    assert reopen_stage(session, photo.id, "resize")
    note_announced(session, photo.id)
    session.rollback()
    assert reopen_failed(session) == 1
    assert not claim_overdue(session, overdue=HOUR, limit=9), "it was uploaded a moment ago"
    session.commit()


@pytest.mark.parametrize("goal", [renditions_of("new"), labels_of("net@2")], ids=["renditions", "labels"])
def test_an_operator_signs_in_as_a_worker_to_refresh_what_photos_have(as_: SessionOf, goal: Goal) -> None:
    process_photo(as_)
    operator = as_(WORKER)

    assert count_outdated(operator, goal) == 1
    (photo_id,) = outdated_photos(operator, goal, before=None).photo_ids
    assert reopen_outdated(operator, photo_id, goal)
    operator.commit()

    assert photos_under_way(operator, goal) == {photo_id}
    assert outcomes(operator, {photo_id}, goal) == {}


def test_an_operator_clears_away_what_other_models_have_found(as_: SessionOf) -> None:
    process_photo(as_, PEMBROKE)
    operator = as_(WORKER)
    assert last_source(operator) == "net@1"
    (photo_id,) = outdated_photos(operator, labels_of("net@2"), before=None).photo_ids
    record_labels(operator, photo_id, "net@2", [])

    assert count_photos(operator) == delete_superseded(operator, before=None).photos == 1


@pytest.mark.parametrize("user", [WEB, WORKER])
def test_either_user_sees_whether_the_schema_is_current(engine_of: Callable[[str], Engine], user: str) -> None:
    assert is_current(engine_of(user))


EVERYBODY = [
    "DROP TABLE photos",
    "ALTER TABLE photos ADD COLUMN word text",
    "ALTER TABLE photos DISABLE TRIGGER ALL",
    "TRUNCATE photos CASCADE",
    "CREATE TABLE mine (word text)",
    "CREATE TEMPORARY TABLE mine (word text)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
    "CREATE EXTENSION hstore",
    "CREATE ROLE mine",
    "SET ROLE master",
    f"GRANT {WEB}, {WORKER} TO {WEB}, {WORKER}",
    "COPY photos TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
    "DELETE FROM photos",
    "DELETE FROM stages",
    "UPDATE photos SET owner = 'mine'",
    "UPDATE photos SET sha256 = ''",
    "UPDATE stages SET name = 'mine'",
    "UPDATE renditions SET key = 'mine'",
    "UPDATE renditions SET mode = 'cover'",
    "UPDATE labels SET name = 'mine'",
    "UPDATE labels SET threshold = 0",
    "UPDATE photo_labels SET confidence = 1",
    "INSERT INTO label_terms VALUES ('n02113023', 'mine')",
    "UPDATE alembic_version SET version_num = '0001'",
]
OF_WORKERS = [
    f"SET ROLE {WORKER}",
    "UPDATE photos SET labels_source = 'mine'",
    "DELETE FROM embeddings",
    "INSERT INTO renditions SELECT id, 'w1', 'jpeg', 1, 1, 1, '' FROM photos",
    "DELETE FROM renditions",
    "UPDATE photos SET preview = 'mine'",
    "UPDATE photos SET colour = '#000000'",
    "UPDATE photos SET renditions_revision = 'mine'",
]
OF_THE_WEB_TIER = [
    f"SET ROLE {WEB}",
    "INSERT INTO photos SELECT * FROM photos",
    "INSERT INTO stages SELECT * FROM stages",
    "SELECT FROM label_terms",
    "INSERT INTO corrections SELECT id, 'n02113023', 'removed', 'mine' FROM photos",
    "UPDATE labels SET adjusted_threshold = 0",
]


@pytest.mark.parametrize(
    ("user", "statement"),
    [
        *((user, statement) for user in RIGHTS for statement in EVERYBODY),
        *((WEB, statement) for statement in OF_WORKERS),
        *((WORKER, statement) for statement in OF_THE_WEB_TIER),
    ],
)
def test_a_tier_may_not(as_: SessionOf, photo: Photo, user: str, statement: str) -> None:
    with pytest.raises(DBAPIError) as raised:
        as_(user).execute(text(statement))

    assert isinstance(raised.value.orig, psycopg.errors.InsufficientPrivilege)


def test_a_tier_has_no_more_to_do_with_other_databases_than_everybody(
    engine_of: Callable[[str], Engine], rds: psycopg.Connection
) -> None:
    given = rds.execute(
        "SELECT datname FROM pg_database, aclexplode(datacl)"
        " WHERE grantee IN (SELECT oid FROM pg_roles WHERE rolname = ANY (%s))",
        [list(RIGHTS)],
    )
    assert given.fetchall() == []


def test_what_a_version_needs_no_more_is_taken_away(engine_of: Callable[[str], Engine], as_: SessionOf) -> None:
    with engine_of(MASTER).begin() as owner:
        owner.execute(text(f"GRANT DELETE, UPDATE (owner) ON photos TO {WEB}"))

    migrate(engine_of(MASTER), with_roles=True)

    for statement in ("DELETE FROM photos", "UPDATE photos SET owner = 'mine'"):
        with pytest.raises(DBAPIError, match="permission denied"):
            as_(WEB).execute(text(statement))
        as_(WEB).rollback()


def test_where_nobody_signs_in_with_tokens_no_rights_are_given(rds: psycopg.Connection, service: None) -> None:
    granted = "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee = ANY (%s)"
    assert rds.execute(granted, [list(RIGHTS)]).fetchone() == (0,), "this connection is to the service's database"


def test_every_table_is_thought_of() -> None:
    assert {table for rights in RIGHTS.values() for table in rights} == {*Base.metadata.tables, "alembic_version"}


def test_the_stack_names_the_same_users() -> None:
    template = Path(__file__).parents[3] / "cloudformation" / "database.yaml"
    named = re.findall(r"photofleet_\w+", template.read_text(encoding="utf-8"))
    assert set(named) == set(RIGHTS)
