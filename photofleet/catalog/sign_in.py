"""How a program proves to the database who it is, where the database's address holds no password.

With a token of its IAM role, which RDS takes: a signature that is made here, for one user and 15 minutes. Or with the
user and password of a secret in Secrets Manager. Either is asked for as a connection is made.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import psycopg
from botocore.exceptions import BotoCoreError
from sqlalchemy import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection

from photofleet.clients import AWS_ERRORS, prompt_client

POSTGRESQL_PORT = 5432


class SignInError(psycopg.OperationalError):
    """There is nothing to sign in with: as much an outage of the database as if it let nobody in."""


def sign_in_with_token(
    dialect: Dialect, _: object, arguments: tuple[Any, ...], parameters: dict[str, Any]
) -> DBAPIConnection:
    """Connect as the user of the database's address: what SQLAlchemy calls at its event `do_connect`."""
    try:
        token = prompt_client("rds").generate_db_auth_token(
            DBHostname=parameters["host"],
            Port=parameters.get("port", POSTGRESQL_PORT),
            DBUsername=parameters["user"],
        )
    except BotoCoreError as error:
        raise SignInError(f"No token could be made to sign in to the database with: {error}") from error
    return dialect.connect(*arguments, **parameters | {"password": token})


@dataclass(frozen=True)
class _Login:
    user: str
    password: str = field(repr=False)


class SecretSignIn:
    """Connects as the user of a secret; as it is called, a listener for SQLAlchemy's event `do_connect`.

    The secret is kept for the next connection. Where the database refuses it, its password may have been changed.
    """

    def __init__(self, arn: str) -> None:
        self._arn = arn
        # Set as a whole and never changed, so that threads need no lock, which one slow answer would have all wait at.
        self._login: _Login | None = None

    def __call__(
        self, dialect: Dialect, _: object, arguments: tuple[Any, ...], parameters: dict[str, Any]
    ) -> DBAPIConnection:
        """Connect."""

        def connect(login: _Login) -> DBAPIConnection:
            return dialect.connect(*arguments, **parameters | {"user": login.user, "password": login.password})

        login = self._login or self._read()
        try:
            return connect(login)
        except psycopg.OperationalError as error:
            was_asked_for_it = error.pgconn is not None and error.pgconn.used_password
            if not was_asked_for_it or (newer := self._read()) == login:
                raise
        return connect(newer)

    def _read(self) -> _Login:
        try:
            text = prompt_client("secretsmanager").get_secret_value(SecretId=self._arn).get("SecretString", "")
        except AWS_ERRORS as error:
            raise SignInError(f"The database's secret {self._arn} cannot be read: {error}") from error
        login = _parse(text)
        if login is None:  # raised here, and not where it is noticed: the error of the JSON parser holds the secret
            raise SignInError(
                f"The database's secret {self._arn} must be a JSON object with a username and a password, and is not."
            )
        self._login = login
        return login


def _parse(text: str) -> _Login | None:
    try:
        match json.loads(text):
            case {"username": str(user), "password": str(password)}:
                return _Login(user, password)
    except ValueError:
        pass
    return None
