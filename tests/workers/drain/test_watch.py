import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.metadata_service import (
    INSTANCE_ID,
    REBALANCE,
    REBALANCE_NOTICE,
    SPOT,
    SPOT_NOTICE,
    TARGET_STATE,
    MetadataService,
)
from tests.photofleet.local.processes import eventually
from tests.workers.drain.autoscaling_service import AutoscalingService
from tests.workers.drain.conftest import QUICK, StartWatch, StartWorker

COMPLETE = "CompleteLifecycleAction"


def terminate(metadata_service: MetadataService, autoscaling: AutoscalingService) -> None:
    """Scale the instance in."""
    autoscaling.waiting = True
    metadata_service.values[TARGET_STATE] = "Terminated"


def test_without_a_notice_the_worker_is_left_alone(
    metadata_service: MetadataService,
    autoscaling: AutoscalingService,
    start_worker: StartWorker,
    start_watch: StartWatch,
) -> None:
    worker = start_worker("SIGTERM")
    start_watch()

    eventually(lambda: metadata_service.asked.count(TARGET_STATE) > 5)

    assert worker.signals == []
    assert autoscaling.calls == []


@pytest.mark.parametrize(("place", "notice"), [(SPOT, SPOT_NOTICE), (REBALANCE, REBALANCE_NOTICE)])
def test_a_notice_stops_the_worker_and_completes_nothing_until_autoscaling_asks(
    metadata_service: MetadataService,
    autoscaling: AutoscalingService,
    start_worker: StartWorker,
    start_watch: StartWatch,
    place: str,
    notice: str,
) -> None:
    worker = start_worker("SIGTERM")
    start_watch()

    metadata_service.values[place] = notice
    eventually(lambda: not worker.runs)
    time.sleep(0.5)
    assert worker.signals == ["SIGTERM"]
    assert autoscaling.calls == []

    terminate(metadata_service, autoscaling)
    eventually(lambda: autoscaling.result == "CONTINUE")


def test_scale_in_stops_the_worker_asks_for_more_time_and_then_lets_the_instance_go(
    metadata_service: MetadataService,
    autoscaling: AutoscalingService,
    start_worker: StartWorker,
    start_watch: StartWatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = start_worker("SIGQUIT")
    start_watch()

    terminate(metadata_service, autoscaling)
    eventually(lambda: not worker.runs)
    eventually(lambda: autoscaling.result == "CONTINUE")
    time.sleep(0.5)

    assert worker.signals == ["SIGTERM", "SIGQUIT"]
    assert autoscaling.heartbeats >= 2
    assert autoscaling.calls.count(COMPLETE) == 1
    assert autoscaling.calls[-1] == COMPLETE
    pid = worker.process.pid
    steps = [line for line in caplog.messages if "autoscaling was asked" not in line]
    assert steps == [
        "watching for notices that this instance is going to end",
        "this instance is going to end: autoscaling wants it Terminated",
        f"telling worker process {pid} to take nothing new, and finish what it does (SIGTERM)",
        f"telling worker process {pid} to hand back everything (SIGQUIT)",
        f"worker process {pid} has ended",
        "autoscaling was told that the instance may end",
    ]


def test_each_step_waits_for_its_time_and_the_last_takes_the_children_along(
    metadata_service: MetadataService,
    autoscaling: AutoscalingService,
    start_worker: StartWorker,
    start_watch: StartWatch,
) -> None:
    worker = start_worker()
    start_watch(replace(QUICK, look=10))  # the steps do not wait for the next look
    metadata_service.values[SPOT] = SPOT_NOTICE
    eventually(lambda: worker.signals == ["SIGTERM"])
    began = time.monotonic()

    eventually(lambda: worker.signals == ["SIGTERM", "SIGQUIT"])
    handed_back = time.monotonic() - began
    eventually(lambda: not worker.runs)
    killed = time.monotonic() - began

    assert QUICK.hand_back - 0.5 < handed_back
    assert QUICK.kill - 0.5 < killed < 8
    eventually(lambda: not worker.child_runs)


def test_a_worker_started_again_is_told_to_stop_too(
    metadata_service: MetadataService,
    autoscaling: AutoscalingService,
    start_worker: StartWorker,
    start_watch: StartWatch,
) -> None:
    first = start_worker("SIGTERM")
    start_watch(replace(QUICK, hand_back=20, kill=30))
    terminate(metadata_service, autoscaling)
    eventually(lambda: not first.runs)

    second = start_worker("SIGTERM")

    eventually(lambda: not second.runs)
    assert second.signals == ["SIGTERM"]
    eventually(lambda: autoscaling.result == "CONTINUE")


def test_a_worker_started_when_it_is_late_is_told_what_is_due_by_then(
    metadata_service: MetadataService, start_worker: StartWorker, start_watch: StartWatch
) -> None:
    start_watch(replace(QUICK, hand_back=0, kill=20))
    metadata_service.values[SPOT] = SPOT_NOTICE
    eventually(lambda: metadata_service.asked.count(SPOT) > 5)

    worker = start_worker("SIGTERM", "SIGQUIT")

    eventually(lambda: not worker.runs)
    assert worker.signals == ["SIGQUIT"]


def test_an_instance_without_a_worker_is_let_go_at_once(
    metadata_service: MetadataService, autoscaling: AutoscalingService, start_watch: StartWatch
) -> None:
    start_watch()
    terminate(metadata_service, autoscaling)

    eventually(lambda: autoscaling.result == "CONTINUE")

    assert autoscaling.heartbeats == 0


def test_an_action_that_cannot_be_completed_is_tried_until_it_can(
    metadata_service: MetadataService,
    autoscaling: AutoscalingService,
    start_watch: StartWatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    autoscaling.failures = 3
    start_watch()
    metadata_service.values[TARGET_STATE] = "Terminated"  # and the hook does not hold it yet
    eventually(lambda: "No active Lifecycle Action" in caplog.text)

    autoscaling.waiting = True

    eventually(lambda: autoscaling.result == "CONTINUE")
    delays = [line.split("again in ")[1].split(" s:")[0] for line in caplog.messages if "again in" in line]
    assert delays[:5] == ["0.05", "0.1", "0.2", "0.2", "0.2"][: len(delays)]
    assert len(delays) >= 4


def test_an_instance_of_no_group_is_drained_and_watched_all_the_same(
    metadata_service: MetadataService,
    autoscaling: AutoscalingService,
    start_worker: StartWorker,
    start_watch: StartWatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    autoscaling.knows_the_instance = False
    worker = start_worker("SIGTERM")
    start_watch()

    terminate(metadata_service, autoscaling)

    eventually(lambda: not worker.runs)
    eventually(lambda: f"knows no instance {INSTANCE_ID}" in caplog.text)
    looks = len(metadata_service.asked)
    eventually(lambda: len(metadata_service.asked) > looks)


def test_failing_heartbeats_do_not_stop_the_drain(
    metadata_service: MetadataService,
    autoscaling: AutoscalingService,
    start_worker: StartWorker,
    start_watch: StartWatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    autoscaling.failures = 1
    worker = start_worker("SIGQUIT")
    start_watch()

    terminate(metadata_service, autoscaling)

    eventually(lambda: not worker.runs)
    eventually(lambda: autoscaling.result == "CONTINUE")
    assert "autoscaling was not asked for more time" in caplog.text
    assert autoscaling.heartbeats > 0


def test_a_notice_is_heeded_after_an_outage_from_the_start(
    metadata_service: MetadataService,
    start_worker: StartWorker,
    start_watch: StartWatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    metadata_service.status = 503
    worker = start_worker("SIGTERM")
    start_watch()
    eventually(lambda: "it gives no token: status 503" in caplog.text)

    metadata_service.status = None
    eventually(lambda: "watching for notices" in caplog.text)
    metadata_service.works.clear()
    eventually(lambda: "the metadata service: it does not answer" in caplog.text)
    metadata_service.works.set()
    metadata_service.tokens.clear()
    metadata_service.values[SPOT] = SPOT_NOTICE

    eventually(lambda: not worker.runs)


def test_the_worker_is_stopped_in_time_though_the_metadata_service_fails_in_between(
    metadata_service: MetadataService, start_worker: StartWorker, start_watch: StartWatch
) -> None:
    worker = start_worker()
    start_watch()
    metadata_service.values[SPOT] = SPOT_NOTICE
    eventually(lambda: worker.signals == ["SIGTERM"])

    metadata_service.status = 500

    eventually(lambda: not worker.runs)
    assert worker.signals == ["SIGTERM", "SIGQUIT"]


def test_a_stale_pidfile_harms_nobody_and_holds_nothing_up(
    metadata_service: MetadataService, autoscaling: AutoscalingService, pidfile: Path, start_watch: StartWatch
) -> None:
    pidfile.write_text("1\n")
    start_watch()
    terminate(metadata_service, autoscaling)

    eventually(lambda: autoscaling.result == "CONTINUE")
