"""What the work on a photo has come to, for who looks at the photo."""

from photofleet.catalog.models import DONE, LABEL, PERSON, RESIZE, UNFINISHED, Photo
from webapp.photos.picture import picture_of

AWAITED = "awaited"


def outcome(photo: Photo, stage: str) -> str:
    """What a stage has come to: awaited, done or failed.

    Renditions and labels may be made anew at any time. However that goes, the photo has its picture and its labels:
    nobody waits for them, and nothing has failed.
    """
    if (stage == RESIZE and picture_of(photo)) or (stage == LABEL and _was_labelled(photo)):
        return DONE
    state = next((found.state for found in photo.stages if found.name == stage), AWAITED)
    return AWAITED if state in UNFINISHED else state


def is_finished(photo: Photo) -> bool:
    """Whether nothing of the photo is awaited any more."""
    return all(outcome(photo, stage.name) != AWAITED for stage in photo.stages)


def _was_labelled(photo: Photo) -> bool:
    """Whether a model has labelled it; earlier versions noted that by the labels alone."""
    return photo.labels_source is not None or any(not label.source.startswith(PERSON) for label in photo.sure_labels)
