"""Whatever AWS answers, or does not, workers go on when it is back, and lose nothing."""

import os
import time
from collections.abc import Iterator

import pytest

from tests.fault_proxy import Fault, FaultProxy
from tests.photofleet.broker.conftest import StartFleet, announce, eventually
from tests.photofleet.broker.queues import Queues

SQS = "^sqs "


@pytest.fixture
def proxy(queues: Queues) -> Iterator[FaultProxy]:
    with FaultProxy(os.environ["AWS_ENDPOINT_URL"]) as proxy:
        yield proxy


@pytest.mark.fails_on_stock
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("error", SQS, status=503), id="is out of order"),
        pytest.param(Fault("error", SQS, status=403), id="knows us no more"),
        pytest.param(Fault("error", SQS, status=400), id="finds fault with what we say"),
        pytest.param(Fault("drop", SQS), id="hangs up"),
        pytest.param(Fault("hang", SQS), id="says nothing"),
        pytest.param(Fault("refuse"), id="is not there"),
    ],
)
def test_a_worker_outlives_an_aws_that(
    fault: Fault, proxy: FaultProxy, queues: Queues, start_fleet: StartFleet
) -> None:
    with start_fleet(AWS_ENDPOINT_URL=proxy.address) as fleet:
        announce("cat")
        eventually(lambda: "cat done" in fleet.notes)
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 0))
        proxy.inject(fault)
        time.sleep(8)
        announce("dog")
        proxy.clear()
        eventually(lambda: "dog done" in fleet.notes, 40)
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 0))
        assert fleet.process.poll() is None
        assert fleet.notes.count("dog") == 1


@pytest.mark.fails_on_stock
def test_work_goes_on_while_messages_cannot_be_deleted(
    proxy: FaultProxy, queues: Queues, start_fleet: StartFleet
) -> None:
    names = [f"photo {number}" for number in range(5)]
    with start_fleet(AWS_ENDPOINT_URL=proxy.address) as fleet:
        proxy.inject(Fault("hang", "^sqs DeleteMessage"))
        for name in names:
            announce(name)
        eventually(lambda: all(f"{name} done" in fleet.notes for name in names))
        assert queues.counts("RESIZE_QUEUE") == (0, 5)
        proxy.clear()
        eventually(lambda: queues.counts("RESIZE_QUEUE") == (0, 0))


@pytest.mark.fails_on_stock
def test_of_two_workers_one_does_a_long_task_although_its_heartbeat_stumbles(
    proxy: FaultProxy, queues: Queues, start_fleet: StartFleet
) -> None:
    settings = {"PHOTOFLEET_VISIBILITY_TIMEOUT": "9", "AWS_ENDPOINT_URL": proxy.address}
    announce("sleep20")
    proxy.inject(Fault("error", "^sqs ChangeMessageVisibility", probability=0.3))
    with (
        queues.hiding_for("RESIZE_QUEUE", 9),
        start_fleet(node="resize@one", **settings) as fleet,
        start_fleet(node="resize@two", **settings),
    ):
        eventually(lambda: "sleep20 done" in fleet.notes, 40)
        assert fleet.notes == ["sleep20", "sleep20 done"]
