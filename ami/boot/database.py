"""Waiting for the database, which may be starting, failing over, or not yet migrated by the web tier."""

import re
import time
from pathlib import Path
from typing import NamedTuple

from botocore.exceptions import ClientError
from sqlalchemy.exc import OperationalError, ProgrammingError

from ami.boot import BootError
from ami.boot.files import Files
from ami.boot.marks import mark
from photofleet.catalog.database import get_engine, get_owner_engine
from photofleet.catalog.migrate import is_current
from photofleet.catalog.sign_in import SignInError

PAUSE_S = 1.0

SHORT_PATIENCE_S = 15.0
"""For what does not mend itself; IAM takes some seconds until it knows the policies of a new role."""


class _Trouble(NamedTuple):
    sentence: str
    may_pass: bool


def wait_for_database(root: Path, role: str, patience: float) -> None:
    """Wait until the web tier can migrate the database, or until it has done so with all that a worker expects.

    Raises:
        BootError: that did not come within `patience` seconds.
    """
    began = time.monotonic()
    while trouble := _trouble(role):
        seconds = patience if trouble.may_pass else min(SHORT_PATIENCE_S, patience)
        if time.monotonic() - began >= seconds:
            raise BootError(f"{trouble.sentence} (waited {seconds:.0f} s).")
        time.sleep(min(PAUSE_S, patience))
    mark(Files(root), "database")


def _trouble(role: str) -> _Trouble | None:
    engine = get_owner_engine() if role == "web" else get_engine()
    place = f"{engine.url.host}:{engine.url.port or 5432}"
    try:
        if role == "web":
            engine.connect().close()
            return None
        if is_current(engine):
            return None
    except OperationalError as error:
        message = _last_cause(str(error.orig))
        if isinstance(error.orig, SignInError):
            return _Trouble(message, may_pass=not isinstance(error.orig.__cause__, ClientError))
        if "certificate" in message or "does not support SSL" in message:
            return _Trouble(f"TLS with the database at {place} fails: {message}", may_pass=False)
        if "authentication failed" in message:  # the web tier makes the workers' user as it migrates
            return _Trouble(f"The database at {place} refuses the sign-in: {message}", may_pass=role != "web")
        return _Trouble(f"No database at {place}: {message}", may_pass=True)
    except ProgrammingError as error:  # one that the web tier has not yet given a worker the rights to
        return _Trouble(f"The database at {place} is not as this version needs it: {error.orig}", may_pass=True)
    return _Trouble(f"The database at {place} was not migrated to this version by the web tier", may_pass=True)


def _last_cause(message: str) -> str:
    """What PostgreSQL's client says at last, without where it was connecting to and without its hints."""
    causes = re.findall(r"^.*failed: (.+)$", message, re.MULTILINE)
    return causes[-1] if causes else message.partition("\n")[0]
