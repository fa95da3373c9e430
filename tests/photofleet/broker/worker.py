"""A fleet for the transport's tests: its one task does as the message says, and notes it in a file."""

import os
import time
from pathlib import Path

from celery.exceptions import Reject

from tests.bench.fleet import OURS, fleet_app
from tests.photofleet.broker.queues import BUSY_WITH

app = fleet_app(os.environ.get("TRANSPORT", OURS))
app.conf.worker_concurrency = 1
if "TIME_LIMIT" in os.environ:
    app.conf.task_soft_time_limit = None
    app.conf.task_time_limit = int(os.environ["TIME_LIMIT"])
NOTES = Path(os.environ["NOTES"]) if "NOTES" in os.environ else None


def note(text: str) -> None:
    assert NOTES is not None
    with NOTES.open("a") as notes:
        print(time.monotonic(), text, file=notes, flush=True)


@app.task(name="photofleet.photo_uploaded")
def photo_uploaded(photo_id: str, request_id: str) -> None:
    note(photo_id)
    if photo_id.startswith("sleep"):
        time.sleep(float(photo_id.removeprefix("sleep").partition("-")[0]))
    if photo_id == BUSY_WITH:
        time.sleep(5)
    if photo_id == "kill":
        os.kill(os.getpid(), 9)
    if photo_id == "kill worker":
        os.kill(os.getppid(), 9)
        os.kill(os.getpid(), 9)
    if photo_id == "again":
        raise Reject(requeue=True)
    if photo_id == "broken":
        raise ValueError(photo_id)
    note(f"{photo_id} done")
