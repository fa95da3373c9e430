"""The operations page: the queues, what the workers do now, what failed, and a button to try that again."""

import hashlib
import logging
from typing import Any

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response

from photofleet.catalog.database import transaction
from photofleet.catalog.models import STAGES
from photofleet.catalog.progress import FailedPhotos
from photofleet.catalog.stages import reopen_failed
from photofleet.operations.outages import Outage
from photofleet.operations.text import count, duration
from webapp.ops import words
from webapp.ops.guard import is_operator, keep_nothing, refuse_others
from webapp.ops.recent import MAX_AGE_S, RecentStatus
from webapp.ops.verdict import is_ours, is_slow, what_needs_someone

logger = logging.getLogger(__name__)

blueprint = Blueprint("ops", __name__)
blueprint.before_app_request(refuse_others)
blueprint.after_request(keep_nothing)
blueprint.add_app_template_global(is_operator)


@blueprint.record
def _begin(state: BlueprintSetupState) -> None:
    state.app.extensions["recent_status"] = RecentStatus()


@blueprint.get("/ops")
def overview() -> tuple[str, int]:
    """The page; after a retry with a sentence about it, and with numbers that are newer than it."""
    stage, retried = request.args.get("stage"), request.args.get("retried", type=int)
    # Anybody could make up a link that says so.
    from_us = request.headers.get("Sec-Fetch-Site") in (None, "same-origin", "none")
    notice = _outcome(stage, retried) if from_us and stage in STAGES and retried is not None else None
    found = _look(0 if notice else MAX_AGE_S)
    return render_template("ops.html", notice=notice, **found), 200 if found["status"] else 503


@blueprint.get("/ops/live")
def live() -> str:
    """The part of the page that is fetched anew every few seconds, be it only to say what keeps us from looking."""
    return render_template("ops_live.html", **_look(MAX_AGE_S))


@blueprint.post("/ops/retry")
def retry() -> Response:
    """Have what failed in a stage for a reason tried again; the sweeper announces it."""
    stage, reason = request.form.get("stage", ""), request.form.get("reason", "")
    if stage not in STAGES:
        abort(400, f"`stage` must be {' or '.join(STAGES)}.")
    if not reason or "\0" in reason:
        abort(400, "`reason` must be the reason of a failure, word for word as the operations page shows it.")
    with transaction() as session:
        photos = reopen_failed(session, stage=stage, error=reason)
    logger.info("%s: the operator has %d photos tried again that failed with %r", stage, photos, reason)
    return redirect(url_for(".overview", stage=stage, retried=photos), 303)


def _outcome(stage: str | None, retried: int) -> str:
    if retried <= 0:
        return f"No photo has failed at {stage} for this reason any more: there was nothing to try again."
    subject = "1 photo goes" if retried == 1 else f"{retried:,} photos go"
    return f"{subject} through {stage} again, as soon as the sweeper has announced {'it' if retried == 1 else 'them'}."


def _look(max_age: float) -> dict[str, Any]:
    recent: RecentStatus = current_app.extensions["recent_status"]
    found = recent.get(max_age=max_age)
    if isinstance(found, Outage):
        return {"status": None, "outage": str(found)}
    return {
        "status": found,
        "needs": list(what_needs_someone(found)),
        "failures": sorted(found.failures, key=_place),
        "key": _key,
        "is_ours": is_ours,
        "is_slow": is_slow,
        "duration": duration,
        "count": count,
        "rate": words.rate,
    }


def _place(failure: FailedPhotos) -> tuple[bool, str, str]:
    """What needs someone first, and else in an order that no new failure changes: a button stays where it was."""
    return not is_ours(failure), failure.stage, failure.reason


def _key(failure: FailedPhotos) -> str:
    return hashlib.sha256(f"{failure.stage}\n{failure.reason}".encode()).hexdigest()[:16]
