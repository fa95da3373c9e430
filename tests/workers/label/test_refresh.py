"""A refresh of labels, with the network that the label fleet runs."""

from collections import Counter

import pytest
from sqlalchemy.orm import Session

from photofleet.catalog.models import LABEL, RESIZE, Photo
from photofleet.catalog.outdated import Outcome, labels_of
from photofleet.catalog.results import FoundLabel, record_labels
from photofleet.catalog.stages import finish_stage
from photofleet.images.formats import Format
from photofleet.operations import refresh
from photofleet.operations.relabel import clear
from tests.photofleet.catalog.factories import TABBY
from tests.pictures import corners, encode
from tests.workers.conftest import Task, Upload


@pytest.mark.usefixtures("queues")
def test_a_photo_of_another_model_gets_the_labels_of_the_network_that_the_fleet_runs(
    session: Session, upload: Upload, label: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.label.network import get_model

    monkeypatch.setattr(refresh, "POLL_S", 0.05)
    photo = upload(encode(corners(640, 480), Format.JPEG))
    for stage in (RESIZE, LABEL):
        finish_stage(session, photo.id, stage)
    record_labels(session, photo.id, "other@1", [FoundLabel(TABBY, 0.9)])
    session.commit()
    steps = refresh.refresh(labels_of(get_model().source), rate=1000)
    assert [next(steps).under_way for _ in range(2)] == [0, 1]

    label(str(photo.id), photo.request_id)

    (last,) = steps
    assert last.ended == Counter({Outcome.REFRESHED: 1})
    assert [step.cleared for step in clear()] == [0, 1]
    found = session.get_one(Photo, photo.id, populate_existing=True)
    assert found.labels_source == get_model().source
    assert {labelled.source for labelled in found.sure_labels} <= {get_model().source}
