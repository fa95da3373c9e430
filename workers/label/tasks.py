"""What the label fleet does when a photo was uploaded."""

from functools import partial
from uuid import UUID

from photofleet.broker import PHOTO_UPLOADED
from photofleet.catalog.models import LABEL, Photo
from photofleet.catalog.results import record_labels
from photofleet.settings import get_settings
from workers.failures import PhotoTask
from workers.label.celery import app
from workers.label.embedding import embedding_of
from workers.label.labels import find_labels, temperature_of
from workers.label.network import classify, get_model
from workers.label.pictures import picture_of
from workers.stage import Record, run_stage


@app.task(base=PhotoTask, name=PHOTO_UPLOADED)
def photo_uploaded(photo_id: str, request_id: str) -> None:
    """Find out what a photo shows, and record it."""
    run_stage(LABEL, UUID(photo_id), request_id, label_photo)


def label_photo(photo: Photo) -> Record:
    """Label a photo with the network of the settings."""
    settings, model = get_settings(), get_model()
    scores = classify(picture_of(photo, model.preprocessing))
    found = find_labels(
        scores.logits,
        model.class_ids,
        temperature_of(model.name, model.version),
        floor=settings.label_threshold,
        limit=settings.label_limit,
    )
    embedding = embedding_of(scores.embeddings)
    return partial(record_labels, photo_id=photo.id, source=model.source, labels=found, embedding=embedding)
