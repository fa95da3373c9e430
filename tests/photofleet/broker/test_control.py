"""Operators reach workers through SQS, as they do through RabbitMQ."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import boto3
import pytest
from celery.app.control import Control

from photofleet.broker import create_app
from photofleet.broker.control import ask_workers, prune_mailboxes
from photofleet.broker.sqs import control as sqs_control
from photofleet.settings import get_settings
from tests.photofleet.broker.conftest import Fleet, StartFleet, announce, eventually
from tests.photofleet.broker.queues import Queues

PATIENT_S = 3
"""Longer than workers need to answer on a machine that is busy with other tests."""

NODES = ("resize@one", "resize@two")


@pytest.fixture
def two_workers(start_fleet: StartFleet, queues: Queues) -> Iterator[dict[str, Fleet]]:
    with ExitStack() as stack:
        fleets = {node: stack.enter_context(start_fleet(node=node)) for node in NODES}
        eventually(lambda: set(mailboxes("node")) >= {mailbox(node) for node in NODES})
        yield fleets


def celery(*words: str) -> str:
    """What the command line says."""
    command = (sys.executable, "-m", "celery", "--app", "workers", *words)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def control(service: None) -> Control:
    return create_app().control


def mailboxes(kind: str) -> list[str]:
    prefix = f"{get_settings().control_prefix}-{kind}-"
    return [
        url.rsplit("/", 1)[-1] for url in boto3.client("sqs").list_queues(QueueNamePrefix=prefix).get("QueueUrls", ())
    ]


def kill(fleet: Fleet) -> None:
    os.killpg(fleet.process.pid, signal.SIGKILL)
    fleet.process.wait()


def mailbox(node: str) -> str:
    return f"{get_settings().control_prefix}-node-{node.replace('@', '_')}"


def test_every_worker_answers_on_the_command_line(two_workers: dict[str, Fleet]) -> None:
    assert json.loads(celery("inspect", "--json", "ping")) == {node: {"ok": "pong"} for node in NODES}
    assert "2 nodes online" in celery("status")
    assert set(json.loads(celery("inspect", "--json", "--destination", "resize@one", "stats"))) == {"resize@one"}
    assert "OK" in celery("control", "pool_grow", "1")


def test_every_worker_says_what_it_does(two_workers: dict[str, Fleet], control: Control) -> None:
    announce("sleep40")
    eventually(lambda: "sleep40" in two_workers["resize@one"].notes)

    (busy,) = (report for report in ask_workers(PATIENT_S) if report.tasks)
    assert busy.processes == 1
    (task,) = busy.tasks
    assert (task.photo_id, task.name) == (None, "photofleet.photo_uploaded")
    assert 0 < task.running_s < 60
    inspect = control.inspect(timeout=PATIENT_S, limit=len(NODES))
    (active,) = (tasks for tasks in inspect.active().values() if tasks)
    assert [task["kwargs"]["photo_id"] for task in active] == ["sleep40"]
    for command in (inspect.reserved, inspect.scheduled, inspect.registered, inspect.active_queues, inspect.report):
        assert set(command()) == set(NODES), command
    for fleet in two_workers.values():
        kill(fleet)


def test_one_worker_is_addressed_and_the_others_are_left_in_peace(
    two_workers: dict[str, Fleet], control: Control
) -> None:
    assert control.inspect(["resize@one"], timeout=PATIENT_S).ping() == {"resize@one": {"ok": "pong"}}
    assert control.inspect(["resize@none"]).ping() is None

    control.pool_grow(1, destination=["resize@two"], reply=True)
    sizes = {"resize@one": 1, "resize@two": 2}
    eventually(lambda: {report.name: report.processes for report in ask_workers(PATIENT_S)} == sizes)

    control.shutdown(destination=["resize@two"])
    two_workers["resize@two"].process.wait(30)
    assert two_workers["resize@one"].process.poll() is None


def test_a_worker_that_is_told_to_read_a_queue_that_is_not_there_goes_on_with_its_own(
    two_workers: dict[str, Fleet], control: Control
) -> None:
    assert len(control.add_consumer("nonesuch", reply=True)) == 2

    announce("cat")
    eventually(lambda: "cat done" in two_workers["resize@one"].notes)
    assert set(control.inspect(timeout=PATIENT_S).ping()) == set(NODES)


def test_a_command_whose_time_is_over_is_not_followed(
    start_fleet: StartFleet, queues: Queues, control: Control
) -> None:
    with start_fleet(node="resize@paused") as fleet:
        eventually(lambda: mailbox("resize@paused") in mailboxes("node"))
        os.kill(fleet.process.pid, signal.SIGSTOP)
        try:
            # It asks for an answer within a second, and the worker is away for two.
            assert control.broadcast("shutdown", reply=True, timeout=1) == []
            time.sleep(1)
        finally:
            os.kill(fleet.process.pid, signal.SIGCONT)
        assert control.inspect(timeout=PATIENT_S).ping() == {"resize@paused": {"ok": "pong"}}


def test_whoever_asks_leaves_no_mailbox_behind(two_workers: dict[str, Fleet]) -> None:
    before = set(mailboxes("reply"))
    celery("inspect", "ping")
    assert set(mailboxes("reply")) <= before


def test_mailboxes_of_dead_workers_are_pruned_and_one_that_is_busy_keeps_its_own(
    start_fleet: StartFleet, queues: Queues, control: Control
) -> None:
    with start_fleet("--pool", "solo", node="resize@busy") as busy, start_fleet(node="resize@dead") as dead:
        eventually(lambda: set(mailboxes("node")) >= {mailbox("resize@dead"), mailbox("resize@busy")})
        kill(dead)
        time.sleep(1.5)  # its last request at the queue is over, and takes no message with it
        announce("sleep40")  # with this pool, the event loop stands still meanwhile
        eventually(lambda: "sleep40" in busy.notes)

        pruned = prune_mailboxes(patience_s=4)

        assert mailbox("resize@dead") in pruned
        assert mailbox("resize@busy") not in pruned
        assert "sleep40 done" not in busy.notes
        assert mailbox("resize@busy") in mailboxes("node")
        kill(busy)


def test_a_worker_whose_mailbox_was_deleted_makes_it_again(
    start_fleet: StartFleet, queues: Queues, control: Control
) -> None:
    with start_fleet(node="resize@cut-off"):
        eventually(lambda: mailbox("resize@cut-off") in mailboxes("node"))
        sqs = boto3.client("sqs")
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=mailbox("resize@cut-off"))["QueueUrl"])
        eventually(lambda: mailbox("resize@cut-off") in mailboxes("node"))
        assert control.inspect(timeout=PATIENT_S).ping() == {"resize@cut-off": {"ok": "pong"}}


def test_threads_that_ask_at_once_each_get_every_answer(two_workers: dict[str, Fleet]) -> None:
    answers: list[set[str]] = []
    threads = [
        threading.Thread(target=lambda: answers.append({report.name for report in ask_workers(PATIENT_S)}))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [set(NODES)] * 3


@pytest.mark.parametrize(
    "answer",
    [
        17,
        ["work"],
        {},
        {"processes": 1},
        {"processes": 1, "tasks": [{"photo_id": None, "name": "a", "running_s": "nan"}]},
        {"processes": "many", "tasks": []},
    ],
)
def test_a_worker_that_answers_nonsense_is_left_out(
    answer: object, monkeypatch: pytest.MonkeyPatch, service: None
) -> None:
    sound = {"processes": 2, "tasks": [{"photo_id": {"$": 1}, "name": "a", "running_s": 1, "of a later version": True}]}
    replies = [{"resize@odd": answer}, "nonsense", {"resize@sound": sound}]
    monkeypatch.setattr(Control, "broadcast", lambda *_, **__: replies)

    (report,) = ask_workers(PATIENT_S)

    assert (report.name, report.processes, len(report.tasks)) == ("resize@sound", 2, 1)


@contextmanager
def writing_into_every_mailbox_for_replies(body: str) -> Iterator[None]:
    """As a worker may that somebody has taken over."""
    stop = threading.Event()
    sqs = boto3.client("sqs")

    def write() -> None:
        while not stop.wait(0.3):
            for name in mailboxes("reply"):
                sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], MessageBody=body)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def test_who_asks_does_not_wait_for_ever_for_one_who_never_stops_writing(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs_control, "LAST_REPLY_S", 2)
    assert not control.broadcast("ping", reply=True, timeout=1)
    reply = {
        "body": json.dumps({"resize@taken": {"ok": "pong"}}),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"ticket": "another"},
        "properties": {"delivery_info": {}, "delivery_tag": "1", "body_encoding": "utf-8"},
    }
    with writing_into_every_mailbox_for_replies(json.dumps(reply)):
        started = time.monotonic()
        assert not control.broadcast("ping", reply=True, timeout=1), "what answers another question is no answer"
        assert time.monotonic() - started < 30
