"""The operations page of labels: how often people find the models right, and from which confidence labels are shown."""

import logging
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from photofleet.catalog.database import transaction
from photofleet.catalog.judgements import judged_labels
from photofleet.catalog.models import Label
from photofleet.catalog.taxonomy import SILENCED
from photofleet.catalog.thresholds import adjust_threshold, get_label, prospects
from photofleet.catalog.vocabulary import UnclearLabelError, label_called
from photofleet.operations.text import count
from webapp import arguments
from webapp.ops.guard import keep_nothing
from webapp.ops.precision import precision

logger = logging.getLogger(__name__)

blueprint = Blueprint("ops_labels", __name__, url_prefix="/ops/labels")
blueprint.after_request(keep_nothing)

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Those beside the one in force for which the page says what would be shown."""


@blueprint.get("")
def overview() -> str | Response:
    """The labels that people have corrected; with `q`, the page of the label that this means."""
    words = arguments.query()
    unclear = None
    with transaction() as session:
        if words:
            try:
                return redirect(url_for(".label", label_id=label_called(session, words).id))
            except UnclearLabelError as error:
                unclear = error
        judged = judged_labels(session)
    context = {"judged": judged, "precision": precision, "words": words, "unclear": unclear, "SILENCED": SILENCED}
    return render_template("ops_labels.html", **context)


@blueprint.get("/<label_id>")
def label(label_id: str) -> str:
    """One label: what other thresholds would show and hide, and a form to set one."""
    return _page(label_id)


@blueprint.post("/<label_id>")
def adjust(label_id: str) -> Response | tuple[str, int]:
    """Set the label's threshold, or reset it to the one that the taxonomy says.

    Labels that are for people alone have none: nothing is kept of what models say there.
    """
    percents = request.form.get("percent", "").strip()
    reset = "reset" in request.form
    threshold = None if reset else _threshold(percents)
    if threshold is None and not reset:
        return _page(
            label_id, percents=percents, error="The threshold must be a number from 0 to 100, in percent."
        ), 400
    with transaction() as session:
        found = get_label(session, label_id) or abort(404, "There is no such label.")
        if found.threshold >= SILENCED:
            abort(409, "No model is believed to see this, so that there is no threshold to set.")
        before = found.least_confidence
        adjust_threshold(session, label_id, threshold)
    logger.info("%s (%s): the operator has it shown from %s on, not %s", found.name, label_id, threshold, before)
    return redirect(url_for(".label", label_id=label_id), 303)


def _page(label_id: str, **said: Any) -> str:
    with transaction() as session:
        found = get_label(session, label_id) or abort(404, "There is no such label.")
        rows = prospects(session, label_id, sorted({*THRESHOLDS, found.threshold, found.least_confidence}))
    context = {"label": found, "rows": rows, "now": _in_force(found, rows), "precision": precision, "count": count}
    return render_template("ops_label.html", silenced=found.threshold >= SILENCED, **context, **said)


def _in_force(label: Label, rows: Any) -> Any:
    return next(row for row in rows if row.threshold == label.least_confidence)


def _threshold(percents: str) -> float | None:
    """A percentage as people type it ("62.5 %") between 0 and 1; None if it is none."""
    try:
        value = float(percents.removesuffix("%").strip().replace(",", "."))
    except ValueError:
        return None
    return value / 100 if 0 <= value <= 100 else None
