"""Whether this instance lives, and whether it can serve."""

from flask import Blueprint

from photofleet.catalog.database import ping

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> str:
    """Answer as long as the process can."""
    return "ok"


@blueprint.get("/readyz")
def readyz() -> str:
    """Answer when the database does; a 503 takes the instance out of the load balancer until then."""
    ping()
    return "ok"
