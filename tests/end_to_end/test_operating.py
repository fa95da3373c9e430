"""What operators type, against the running service."""

import json

from tests.end_to_end.conftest import Service, photofleet


def test_a_program_finds_the_running_service_and_every_worker_answers(local_service: Service) -> None:
    words = ("celery", "-A", "workers", "inspect", "--json", "ping")
    done = photofleet("exec", "--state", str(local_service.state), *words)

    assert json.loads(done.stdout) == {node: {"ok": "pong"} for node in ("resize@local", "label@local")}, done.stderr


def test_the_numbers_of_the_service_can_be_read_by_a_program(local_service: Service) -> None:
    done = photofleet("exec", "--state", str(local_service.state), "photofleet", "status", "--json")

    status = json.loads(done.stdout)
    assert [queue["name"] for queue in status["queues"]] == ["resize", "label"]
    assert {worker["name"] for worker in status["workers"]} == {"resize@local", "label@local"}


def test_a_program_that_there_is_not_is_named(local_service: Service) -> None:
    done = photofleet("exec", "--state", str(local_service.state), "nonesuch")

    assert done.returncode == 1
    assert "no program 'nonesuch'" in done.stderr
