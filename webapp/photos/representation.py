"""How photos look to programs."""

from typing import Any

from flask import url_for

from photofleet.catalog.models import Photo, ShownLabel
from photofleet.catalog.photos import Page
from photofleet.catalog.taxonomy import load_taxonomy
from photofleet.storage import rendition_url
from webapp.photos.outcome import is_finished
from webapp.photos.picture import preview_address


def photo_json(photo: Photo) -> dict[str, Any]:
    """A photo with everything that is known of it; sizes in bytes and in pixels, confidences from 0 to 1."""
    return {
        "id": str(photo.id),
        "url": url_for("photos.photo", photo_id=photo.id),
        "filename": photo.filename,
        "format": photo.format,
        "width": photo.width,
        "height": photo.height,
        "size": photo.size,
        "sha256": photo.sha256.hex(),
        "colour": photo.colour,
        "preview": preview_address(photo),
        "taken_at": photo.taken_at and photo.taken_at.isoformat(),
        "uploaded_at": photo.uploaded_at.isoformat(),
        "finished": is_finished(photo),
        "stages": [{"name": stage.name, "state": stage.state, "error": stage.error} for stage in photo.stages],
        "renditions": [
            {
                "name": rendition.name,
                "mode": rendition.mode,
                "format": rendition.format,
                "width": rendition.width,
                "height": rendition.height,
                "size": rendition.size,
                "url": rendition_url(rendition.key),
            }
            for rendition in photo.renditions
        ],
        "labels": [label_json(label) for label in photo.shown_labels],
    }


def label_json(label: ShownLabel) -> dict[str, Any]:
    """A label with its place in the taxonomy, in the words of Amazon Rekognition's DetectLabels.

    Its fields are those of a `Label` there (in lower case, confidences from 0 to 1 and not to 100), where `parents` are
    all ancestors, the nearest first. What has left the taxonomy since has its name alone.
    """
    taxonomy = load_taxonomy()
    known = taxonomy.get(label.id)
    ancestors = taxonomy.ancestors(known.id) if known else ()
    nearest_first = sorted(ancestors, key=lambda above: (-len(taxonomy.ancestors(above)), taxonomy[above].name))
    return {
        "id": label.id,
        "name": label.name,
        "confidence": round(label.confidence, 4),
        "source": label.source,
        "parents": [{"name": taxonomy[above].name} for above in nearest_first],
        "aliases": [{"name": synonym} for synonym in (known.synonyms if known else ())],
        "categories": [{"name": category} for category in (known.categories if known else ())],
    }


def page_json(page: Page, endpoint: str, **arguments: Any) -> dict[str, Any]:
    """A page of photos and the address of the next one."""
    more = page.next_before
    return {
        "photos": [photo_json(photo) for photo in page.photos],
        "next": url_for(endpoint, before=more, **arguments) if more else None,
    }
