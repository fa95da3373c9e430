"""Correcting labels on the pages: plain forms, which scripts send without leaving the page."""

from collections.abc import Sequence
from uuid import UUID

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from photofleet.catalog.corrections import TooManyLabelsError, UnknownPhotosError
from photofleet.catalog.database import transaction
from photofleet.catalog.models import Photo
from photofleet.catalog.photos import get_photos
from photofleet.catalog.vocabulary import UnclearLabelError, labels_starting
from photofleet.operations.text import count
from webapp import arguments
from webapp.labels.corrections import LONGEST_WORDS, MOST_BYTES, MOST_PHOTOS, Say, correct
from webapp.photos.pages import look_at

blueprint = Blueprint("labels", __name__)

SUGGESTIONS = 8

_DONE = {Say.ADD: "added to", Say.REMOVE: "removed from", Say.TAKE_BACK: "again as it was on"}


@blueprint.before_request
def _limit() -> None:
    request.max_content_length = MOST_BYTES


@blueprint.get("/labels/suggestions")
def suggestions() -> str:
    """Labels that start like what has been typed, whether a photo shows them or not, as options for a box."""
    with transaction() as session:
        found = labels_starting(session, arguments.query()[:LONGEST_WORDS], limit=SUGGESTIONS)
    return render_template("label_suggestions.html", labels=found)


@blueprint.post("/photos/<uuid:photo_id>/labels")
def one(photo_id: UUID) -> Response | tuple[str, int]:
    """Correct a label of one photo, and show the photo again, be it to say that the label is not clear."""
    say, words = _said()
    try:
        correct({photo_id}, [(say, words)])
    except UnknownPhotosError as error:
        abort(404, str(error))
    except TooManyLabelsError as error:
        abort(409, str(error))
    except UnclearLabelError as unclear:
        return render_template("photo.html", **look_at(photo_id), unclear=unclear, unclear_say=say), 400
    return redirect(url_for("photos.photo", photo_id=photo_id, _anchor="photo-labels"), 303)


@blueprint.post("/labels")
def selection() -> tuple[str, int]:
    """Correct a label of the photos that were selected, and say what came of it."""
    say, words = _said()
    photo_ids = _selected()
    if not photo_ids:
        return _outcome(say, (), words, problem="Please select at least one photo first."), 400
    try:
        (label,) = correct(set(photo_ids), [(say, words)])
    except UnknownPhotosError as error:
        abort(404, str(error))
    except TooManyLabelsError as error:
        return _outcome(say, _look_at(photo_ids), words, problem=str(error)), 409
    except UnclearLabelError as unclear:
        return _outcome(say, _look_at(photo_ids), words, problem=str(unclear), choices=unclear.choices), 400
    return _outcome(say, _look_at(photo_ids), words, label=label), 200


def _said() -> tuple[Say, str]:
    try:
        say = Say(request.form.get("say", ""))
    except ValueError:
        abort(400, f"`say` must be {', '.join(Say)}.")
    return say, request.form.get("label", "")[:LONGEST_WORDS]


def _selected() -> list[UUID]:
    values = request.form.getlist("photo")
    if len(values) > MOST_PHOTOS:
        abort(400, f"At most {MOST_PHOTOS} photos can be corrected at once, not {len(values)}.")
    try:
        return [UUID(value) for value in values]
    except ValueError:
        abort(400, "`photo` must be the id of a photo.")


def _look_at(photo_ids: Sequence[UUID]) -> Sequence[Photo]:
    with transaction() as session:
        return get_photos(session, photo_ids)


def _outcome(say: Say, photos: Sequence[Photo], words: str, **found: object) -> str:
    done = f"{_DONE[say]} {count(len(photos), 'photo')}"
    return render_template("selection.html", say=say, done=done, photos=photos, words=words, next_url=None, **found)
