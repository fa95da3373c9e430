"""What the work on a photo has come to, for who looks at the photo."""

from photofleet.catalog.models import DONE, RESIZE, UNFINISHED, Photo
from webapp.photos.picture import picture_of

AWAITED = "awaited"


def outcome(photo: Photo, stage: str) -> str:
    """What a stage has come to: awaited, done or failed.

    Renditions may be made anew at any time. However that goes, the photo has its picture: nobody waits for it, and
    nothing has failed.
    """
    if stage == RESIZE and picture_of(photo):
        return DONE
    state = next((found.state for found in photo.stages if found.name == stage), AWAITED)
    return AWAITED if state in UNFINISHED else state


def is_finished(photo: Photo) -> bool:
    """Whether nothing of the photo is awaited any more."""
    return all(outcome(photo, stage.name) != AWAITED for stage in photo.stages)
