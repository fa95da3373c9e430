"""A database behind TLS, to which programs sign in as on AWS."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from photofleet.catalog.database import get_engine, get_owner_engine
from photofleet.local.postgres import EmbeddedPostgres
from photofleet.stack import Clients
from tests.tls_front import tls_front

HOST = "db.example.com"
SignInWith = Callable[..., None]
StoreSecret = Callable[[str], str]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Whose certificates the service trusts."""
    return trustme.CA()


@pytest.fixture(scope="session")
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with its certificate."""
    path = tmp_path_factory.mktemp("trusted") / "database-ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def certified(authority: trustme.CA, host: str = HOST) -> ssl.SSLContext:
    """The TLS of a server that the authority says has a host's name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


@pytest.fixture(scope="session")
def tls_port(authority: trustme.CA, postgres: EmbeddedPostgres) -> Iterator[int]:
    """The port on which the embedded PostgreSQL is to be had over TLS."""
    with tls_front(certified(authority), "127.0.0.1", 0, ("127.0.0.1", postgres.port)) as port:
        yield port


@pytest.fixture
def store_secret(clients: Clients) -> Iterator[StoreSecret]:
    """A function that stores a secret until the test ends, and returns its ARN."""
    arns: list[str] = []

    def store(content: str) -> str:
        made = clients("secretsmanager").create_secret(Name=f"signing-in-{len(arns)}", SecretString=content)
        arns.append(made["ARN"])
        return arns[-1]

    yield store
    for arn in arns:
        clients("secretsmanager").delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def sign_in_with(change_settings: Callable[..., None], trusted: Path) -> Iterator[SignInWith]:
    """A function that has this process sign in anew at a port, as a user or as nobody, with other settings."""

    def forget_connections() -> None:
        for engine in (get_engine, get_owner_engine):
            engine().dispose()
            engine.cache_clear()

    def sign_in(port: int, *, user: str = "", database: str = "photofleet", **settings: str) -> None:
        forget_connections()
        address = f"{user}{'@' if user else ''}{HOST}:{port}/{database}"
        query = f"sslmode=verify-full&sslrootcert={trusted}&hostaddr=127.0.0.1"
        change_settings(database_url=f"postgresql://{address}?{query}", **settings)

    yield sign_in
    forget_connections()
