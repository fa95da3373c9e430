"""Signing in to a database over TLS: to the real PostgreSQL, or to one that notes who comes and lets nobody in."""

import json
import logging
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import trustme
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from photofleet import clients
from photofleet.catalog.database import get_engine, get_owner_engine, ping
from photofleet.local.postgres import EmbeddedPostgres
from photofleet.stack import Clients
from tests.photofleet.catalog.conftest import HOST, SignInWith, StoreSecret, certified
from tests.photofleet.catalog.reception import Visit, reception
from webapp.problems import DEPENDENCY_ERRORS
from workers.failures import is_outage

TOKEN = {"user": "photofleet_web", "database_iam": "true"}
PASSWORDS = ("first-hunter2", "second-hunter2", "third-hunter2")


@pytest.fixture
def secret(store_secret: StoreSecret) -> str:
    """The ARN of a secret with the first password of a user."""
    return store_secret(login(PASSWORDS[0]))


@pytest.fixture
def keep(clients: Clients, secret: str) -> Callable[[str], None]:
    """A function that changes what the secret says."""

    def put(content: str) -> None:
        clients("secretsmanager").put_secret_value(SecretId=secret, SecretString=content)

    return put


@pytest.fixture
def set_password(postgres: EmbeddedPostgres) -> Iterator[Callable[[str], None]]:
    """A function that gives the user in the database another password; it has the first."""
    with psycopg.connect(postgres.url.replace("+psycopg", ""), autocommit=True) as connection:

        def change(password: str) -> None:
            connection.execute(sql.SQL("ALTER ROLE us PASSWORD {}").format(password))

        connection.execute("CREATE ROLE us LOGIN")
        change(PASSWORDS[0])
        yield change
        get_engine().dispose()
        connection.execute("DROP ROLE us")


@pytest.fixture
def as_somebody_else(monkeypatch: pytest.MonkeyPatch, service: None) -> Iterator[Callable[[Mapping[str, str]], None]]:
    """A function that changes what this process knows of AWS, until the test ends."""

    def change(environment: Mapping[str, str]) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        clients.client.cache_clear()

    yield change
    clients.client.cache_clear()


def login(password: str, user: str = "us") -> str:
    return json.dumps({"username": user, "password": password})


def who_am_i() -> str:
    with get_engine().connect() as connection:
        name: str = connection.execute(text("SELECT current_user")).scalar_one()
    get_engine().dispose()  # the next connection is a new one
    return name


def refusal() -> OperationalError:
    with pytest.raises(OperationalError) as raised:
        ping()
    return raised.value


def parts(visit: Visit) -> tuple[str, dict[str, str]]:
    """The address that a token is for, and what it says of it."""
    address = urlsplit(f"//{visit.password}")
    return address.netloc, {name: value for name, (value,) in parse_qs(address.query).items()}


def test_a_token_is_for_the_host_port_and_user_and_for_a_quarter_of_an_hour(
    sign_in_with: SignInWith, authority: trustme.CA
) -> None:
    with reception(certified(authority)) as (port, visits):
        sign_in_with(port, **TOKEN)
        refusal()

    (visit,) = visits
    address, says = parts(visit)
    assert (visit.user, visit.is_encrypted, address) == ("photofleet_web", True, f"{HOST}:{port}")
    assert (says["Action"], says["DBUser"], says["X-Amz-Expires"]) == ("connect", "photofleet_web", "900")
    assert says["X-Amz-Credential"].endswith("/us-east-1/rds-db/aws4_request")
    assert says["X-Amz-Signature"]


def test_each_connection_has_a_token_of_its_own(sign_in_with: SignInWith, authority: trustme.CA) -> None:
    with reception(certified(authority)) as (port, visits):
        sign_in_with(port, **TOKEN)
        refusal()
        time.sleep(1.1)  # their times are in seconds
        refusal()

    first, second = (parts(visit)[1]["X-Amz-Date"] for visit in visits)
    assert first < second


@pytest.mark.parametrize("settings", [TOKEN, {}], ids=["a token", "a secret"])
@pytest.mark.parametrize(
    ("tls", "complaint"),
    [
        pytest.param(lambda _: None, "server does not support SSL", id="no TLS"),
        pytest.param(lambda ours: certified(ours, "other.example.com"), "does not match host name", id="another name"),
        pytest.param(lambda _: certified(trustme.CA()), "certificate verify failed", id="another authority"),
    ],
)
def test_whoever_cannot_prove_to_be_the_database_is_not_told(
    sign_in_with: SignInWith,
    authority: trustme.CA,
    secret: str,
    settings: dict[str, str],
    tls: Callable[[trustme.CA], ssl.SSLContext | None],
    complaint: str,
) -> None:
    with reception(tls(authority)) as (port, visits):
        sign_in_with(port, database_secret=secret, **settings)
        assert complaint in str(refusal())

    assert visits == []


@pytest.mark.usefixtures("set_password")
def test_a_program_signs_in_as_the_user_of_the_secret(sign_in_with: SignInWith, tls_port: int, secret: str) -> None:
    sign_in_with(tls_port, database_secret=secret)

    assert who_am_i() == "us"


def test_the_owner_signs_in_with_the_secret_whoever_else_the_address_names(
    sign_in_with: SignInWith, authority: trustme.CA, secret: str
) -> None:
    with reception(certified(authority)) as (port, visits):
        sign_in_with(port, database_secret=secret, **TOKEN)
        with pytest.raises(OperationalError):
            get_owner_engine().connect()

    assert visits == [Visit("us", PASSWORDS[0], is_encrypted=True)]


@pytest.mark.usefixtures("set_password")
def test_a_secret_is_read_once(
    sign_in_with: SignInWith, tls_port: int, secret: str, keep: Callable[[str], None]
) -> None:
    sign_in_with(tls_port, database_secret=secret)
    who_am_i()
    keep("nothing that anybody could sign in with")

    assert who_am_i() == "us"


def test_a_secret_is_read_again_when_its_password_is_refused(
    sign_in_with: SignInWith,
    tls_port: int,
    secret: str,
    keep: Callable[[str], None],
    set_password: Callable[[str], None],
) -> None:
    sign_in_with(tls_port, database_secret=secret)
    who_am_i()
    for password in PASSWORDS[1:]:
        set_password(password)
        keep(login(password))

        assert who_am_i() == "us"


def test_all_threads_sign_in_after_the_password_was_changed(
    sign_in_with: SignInWith,
    tls_port: int,
    secret: str,
    keep: Callable[[str], None],
    set_password: Callable[[str], None],
) -> None:
    sign_in_with(tls_port, database_secret=secret)
    who_am_i()
    set_password(PASSWORDS[1])
    keep(login(PASSWORDS[1]))
    all_connected = threading.Barrier(8)

    def connect(_: int) -> None:
        with get_engine().connect():
            all_connected.wait(20)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(connect, range(8)))


def test_a_password_that_is_refused_for_good_is_tried_again_only_after_a_change(
    sign_in_with: SignInWith, authority: trustme.CA, secret: str, keep: Callable[[str], None]
) -> None:
    with reception(certified(authority)) as (port, visits):
        sign_in_with(port, database_secret=secret)
        refusal()
        assert [visit.password for visit in visits] == [PASSWORDS[0]]

        keep(login(PASSWORDS[1]))
        assert "password authentication failed" in str(refusal())
        assert [visit.password for visit in visits] == [PASSWORDS[0], *PASSWORDS[:2]]


@pytest.mark.parametrize(
    "content",
    ["hunter2", '"hunter2"', '{"user": "us", "password": "hunter2"}', '{"username": "us", "password": ["hunter2"]}'],
)
def test_a_secret_that_holds_something_else_is_named_and_not_shown(
    sign_in_with: SignInWith, tls_port: int, secret: str, keep: Callable[[str], None], content: str
) -> None:
    keep(content)
    sign_in_with(tls_port, database_secret=secret)

    error = refusal()

    assert f"secret {secret} must be a JSON object with a username and a password" in str(error)
    assert "hunter2" not in "".join(traceback.format_exception(error))


def test_a_secret_that_is_not_there_is_named(sign_in_with: SignInWith, tls_port: int, secret: str) -> None:
    sign_in_with(tls_port, database_secret=f"{secret}-gone")

    assert f"secret {secret}-gone cannot be read: An error occurred (ResourceNotFoundException)" in str(refusal())


def test_a_secret_that_is_kept_from_us_is_named(
    sign_in_with: SignInWith,
    tls_port: int,
    secret: str,
    clients: Clients,
    as_somebody_else: Callable[[Mapping[str, str]], None],
) -> None:
    iam: Any = clients("iam")
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    as_somebody_else({"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]})
    sign_in_with(tls_port, database_secret=secret)

    assert f"secret {secret} cannot be read: An error occurred (AccessDenied" in str(refusal())

    iam.delete_access_key(UserName="stranger", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="stranger")


def test_aws_that_does_not_answer_is_an_outage_of_the_database_to_all(
    sign_in_with: SignInWith,
    tls_port: int,
    secret: str,
    unused_port: Callable[[], int],
    as_somebody_else: Callable[[Mapping[str, str]], None],
) -> None:
    as_somebody_else({"AWS_ENDPOINT_URL": f"http://127.0.0.1:{unused_port()}"})
    sign_in_with(tls_port, database_secret=secret)

    error = refusal()

    assert "Could not connect to the endpoint URL" in str(error)
    assert is_outage(error)
    assert isinstance(error, DEPENDENCY_ERRORS)


def test_no_credentials_for_a_token_are_an_outage_too(
    sign_in_with: SignInWith, tls_port: int, as_somebody_else: Callable[[Mapping[str, str]], None]
) -> None:
    as_somebody_else({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
    sign_in_with(tls_port, **TOKEN)

    error = refusal()

    assert "No token could be made to sign in to the database with: Unable to locate credentials" in str(error)
    assert is_outage(error)


@pytest.mark.parametrize("settings", [TOKEN, {}], ids=["a token", "a secret"])
def test_what_opens_the_database_is_told_nowhere(
    sign_in_with: SignInWith,
    authority: trustme.CA,
    secret: str,
    settings: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for library in ("psycopg", "sqlalchemy"):
        caplog.set_level(logging.DEBUG, library)
    with reception(certified(authority)) as (port, visits):
        sign_in_with(port, database_secret=secret, **settings)
        error = refusal()

    (visit,) = visits
    told = "".join((*traceback.format_exception(error), repr(error), repr(get_engine()), caplog.text))
    assert visit.user in told
    assert visit.password not in told
    assert "Signature" not in told
