"""Correcting labels for programs: one label on one photo, or several on many."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, abort, request

from photofleet.catalog.corrections import TooManyLabelsError, UnknownPhotosError
from photofleet.catalog.database import transaction
from photofleet.catalog.photos import get_photos
from photofleet.catalog.vocabulary import UnclearLabelError
from webapp.labels.corrections import LONGEST_WORDS, MOST_BYTES, MOST_CORRECTIONS, MOST_PHOTOS, Say, correct
from webapp.photos.pages import find_photo
from webapp.photos.representation import photo_json
from webapp.problems import problem

blueprint = Blueprint("labels_api", __name__, url_prefix="/api/v1")

MOST_LABELS = 20


@blueprint.errorhandler(UnknownPhotosError)
def _unknown_photos(error: UnknownPhotosError) -> Response:
    return problem(404, str(error), slug="unknown-photo")


@blueprint.errorhandler(TooManyLabelsError)
def _too_many_labels(error: TooManyLabelsError) -> Response:
    return problem(409, str(error), slug="too-many-labels")


@blueprint.errorhandler(UnclearLabelError)
def _unclear(error: UnclearLabelError) -> Response:
    if not error.choices:
        return problem(404, str(error), slug="unknown-label")
    choices = [{"id": label.id, "name": label.name} for label in error.choices]
    return problem(409, str(error), slug="ambiguous-label", choices=choices)


@blueprint.put("/photos/<uuid:photo_id>/labels/<label>")
def add(photo_id: UUID, label: str) -> dict[str, Any]:
    """Say that the photo shows it: confirm a label that it has, or add one."""
    return _correct_one(photo_id, Say.ADD, label)


@blueprint.delete("/photos/<uuid:photo_id>/labels/<label>")
def remove(photo_id: UUID, label: str) -> dict[str, Any]:
    """Say that the photo does not show it, nor any kind of it."""
    return _correct_one(photo_id, Say.REMOVE, label)


@blueprint.delete("/photos/<uuid:photo_id>/corrections/<label>")
def take_back(photo_id: UUID, label: str) -> dict[str, Any]:
    """Forget what was said of it."""
    return _correct_one(photo_id, Say.TAKE_BACK, label)


@blueprint.post("/corrections")
def corrections() -> dict[str, Any]:
    """Take back, remove and add labels, in this order, on many photos: all of it or, if one is wrong, nothing."""
    body = _body()
    photo_ids = [_uuid(value) for value in _texts(body, "photos", MOST_PHOTOS)]
    said = [
        (say, label)
        for name, say in (("take_back", Say.TAKE_BACK), ("remove", Say.REMOVE), ("add", Say.ADD))
        for label in _texts(body, name, MOST_LABELS)
    ]
    if not photo_ids or not said:
        abort(400, "`photos` must name at least one photo, and `add`, `remove` or `take_back` at least one label.")
    if len(photo_ids) * len(said) > MOST_CORRECTIONS:
        abort(400, f"At most {MOST_CORRECTIONS} corrections, photos times labels, can be made at once.")
    correct(set(photo_ids), said)
    with transaction() as session:
        photos = get_photos(session, photo_ids)
    return {"photos": [photo_json(photo) for photo in photos]}


def _correct_one(photo_id: UUID, say: Say, label: str) -> dict[str, Any]:
    correct({photo_id}, [(say, label[:LONGEST_WORDS])])
    return photo_json(find_photo(photo_id))


def _body() -> dict[str, Any]:
    if request.content_length is None or request.content_length > MOST_BYTES:
        abort(400, f"The body must be JSON of at most {MOST_BYTES // 1024} kB, with its Content-Length.")
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        abort(400, "The body must be a JSON object, sent as application/json.")
    if unknown := body.keys() - {"photos", "add", "remove", "take_back"}:
        abort(400, f"`{min(unknown)}` has no meaning here; `photos`, `add`, `remove` and `take_back` have.")
    return body


def _texts(body: dict[str, Any], name: str, most: int) -> Sequence[str]:
    values = body.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        abort(400, f"`{name}` must be a list of strings.")
    if any(len(value) > LONGEST_WORDS for value in values):
        abort(400, f"A member of `{name}` can have at most {LONGEST_WORDS} characters.")
    if len(values) > most:
        abort(400, f"`{name}` can have at most {most} members, not {len(values)}.")
    return values


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        abort(400, "`photos` must be ids of photos, which look like 019aa4d2-7e31-7c55-a9ce-0242ac120002.")
