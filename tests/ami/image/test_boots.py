"""Each role boots in its image and does its work, on a cloud with no way out: nothing is fetched."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import urllib3
from sqlalchemy import make_url

from tests.ami.image.bake import Image
from tests.ami.image.cloud import Cloud
from tests.ami.image.conftest import Note
from tests.ami.image.instance import Instance, instance
from tests.samples import sample

BOOT_S = 45.0
"""The longest that a boot may take on a CPU role, from the kernel to ready."""

SITE = {"Host": "photofleet.localhost"}
STACK = "waits-for-web"
PAGES, UPLOADS = 8000, 8001


@pytest.fixture(scope="module")
def web(network_cloud: Cloud, web_image: Image, workplace: Path, note: Note) -> Iterator[Instance]:
    """A web instance whose stack waits for it."""
    with (
        network_cloud.waiting_for_a_signal(STACK),
        instance(network_cloud, web_image, 11, workplace / "web-1", signals=STACK) as machine,
    ):
        seconds = machine.wait_until(lambda: answers(machine, "/readyz"), "the site is ready")
        note(f"web: from the start of its init system to its first answer: {seconds:.1f} s")
        yield machine


@pytest.fixture(scope="module")
def resize(web: Instance, network_cloud: Cloud, resize_image: Image, workplace: Path) -> Iterator[Instance]:
    """An instance of the resize fleet."""
    with instance(network_cloud, resize_image, 12, workplace / "resize-1") as machine:
        yield machine


@pytest.fixture(scope="module")
def label(web: Instance, network_cloud: Cloud, label_image: Image, workplace: Path) -> Iterator[Instance]:
    """An instance of the label fleet."""
    with instance(network_cloud, label_image, 13, workplace / "label-1") as machine:
        yield machine


def answers(machine: Instance, path: str, port: int = PAGES) -> bool:
    try:
        return get(machine, path, port).status == HTTPStatus.OK
    except urllib3.exceptions.HTTPError:
        return False


def get(machine: Instance, path: str, port: int = PAGES) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", f"http://{machine.address}:{port}{path}", headers=SITE, timeout=10, retries=False)


def upload(machine: Instance, name: str) -> Mapping[str, Any]:
    """Upload a photo through the port that the load balancer sends uploads to."""
    path = sample(name)
    response = urllib3.request(
        "POST",
        f"http://{machine.address}:{UPLOADS}/api/v1/photos",
        fields={"photo": (path.name, path.read_bytes())},
        headers=SITE,
        timeout=60,
        retries=False,
    )
    assert response.status in (HTTPStatus.CREATED, HTTPStatus.OK), response.data
    found: Mapping[str, Any] = response.json()
    return found


def stage(machine: Instance, photo: Mapping[str, Any], name: str) -> str:
    stages = get(machine, f"/api/v1/photos/{photo['id']}").json()["stages"]
    (found,) = (stage["state"] for stage in stages if stage["name"] == name)
    return str(found)


def wait_until_ready(machine: Instance) -> None:
    """Wait until the boot says that all is well."""
    machine.wait_until(lambda: "Ready " in machine.console, "it says that it is ready")


def ready_seconds(machine: Instance, note: Note) -> float:
    """How long the boot says that it took."""
    wait_until_ready(machine)
    (line,) = (line for line in machine.console.splitlines() if "Ready " in line)
    note(f"{machine.name}: {line[line.index('Ready ') :]}")
    return float(line.split("Ready ", 1)[1].split()[0])


def test_a_web_instance_serves_and_says_so_to_its_stack(web: Instance, network_cloud: Cloud, note: Note) -> None:
    web.wait_until(lambda: network_cloud.stack_status(STACK) == "CREATE_COMPLETE", "the stack is made")

    assert ready_seconds(web, note) < BOOT_S
    assert answers(web, "/readyz", UPLOADS)
    assert get(web, "/").status == HTTPStatus.OK
    assert web.run("systemctl", "--failed", "--no-legend").stdout == ""


def first_photo(web: Instance, worker: Instance, fleet: str, note: Note) -> Mapping[str, Any]:
    """Upload a photo, and return what the API says of it once a worker that has just been started is done with it."""
    photo = upload(web, "chelsea.png")
    seconds = worker.wait_until(lambda: stage(web, photo, fleet) == "done", "its first photo is done")
    note(f"{fleet}: from the start of its init system to its first photo: {seconds:.1f} s")
    assert seconds < BOOT_S
    assert ready_seconds(worker, note) < BOOT_S
    found: Mapping[str, Any] = get(web, f"/api/v1/photos/{photo['id']}").json()
    return found


def test_a_resize_instance_makes_renditions(web: Instance, resize: Instance, note: Note) -> None:
    assert first_photo(web, resize, "resize", note)["renditions"]


def test_a_label_instance_finds_what_is_in_a_photo(web: Instance, label: Instance, note: Note) -> None:
    assert "cat" in json.dumps(first_photo(web, label, "label", note)["labels"])


@pytest.mark.parametrize("unit", ["photofleet-web", "photofleet-upload"])
def test_a_restart_drops_no_connection(web: Instance, unit: str) -> None:
    port = UPLOADS if unit.endswith("upload") else PAGES
    stop, failures, asked = threading.Event(), [], []

    def ask() -> None:
        while not stop.is_set():
            asked.append(1)
            try:
                status = get(web, "/healthz", port).status
            except urllib3.exceptions.HTTPError as error:
                failures.append(repr(error))
            else:
                if status != HTTPStatus.OK:
                    failures.append(str(status))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            before = len(asked)
            restarted = web.run("systemctl", "restart", unit)
            assert restarted.returncode == 0, restarted.stderr
            web.wait_until(lambda before=before: len(asked) > before + 20, "requests are answered again")
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert failures == []


@pytest.mark.parametrize(("fleet", "unit"), [("resize", "photofleet-resize"), ("label", "photofleet-label")])
def test_a_worker_has_no_credentials_and_may_write_only_to_its_own_folders(
    fleet: str, unit: str, request: pytest.FixtureRequest
) -> None:
    machine: Instance = request.getfixturevalue(fleet)
    wait_until_ready(machine)
    pid = machine.run("systemctl", "show", "--property=MainPID", "--value", unit).stdout.strip()
    lines = machine.run("cat", f"/proc/{pid}/environ").stdout.rstrip("\0").split("\0")
    environment = dict(line.split("=", 1) for line in lines)
    user = machine.run("ps", "-o", "user:32=", "-p", pid).stdout.strip()
    # As the worker itself: its mounts, its user.
    user_only = ("--reuid=photofleet-worker", "--regid=photofleet-worker", "--clear-groups")
    as_worker = ("nsenter", f"--target={pid}", "--mount", "setpriv", *user_only)
    find = "find / -path /proc -prune -o -type d -writable -print 2>/dev/null"
    writable = machine.run(*as_worker, "sh", "-c", find).stdout.splitlines()

    assert user == "photofleet-worker"
    assert {name for name in environment if name.startswith("AWS_")} == {
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",  # where the tests' cloud is
    }
    assert make_url(environment["PHOTOFLEET_DATABASE_URL"]).password is None
    own = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/photofleet-worker")  # noqa: S108 -- private ones
    assert [path for path in writable if not path.startswith(own)] == []
    assert "/run/photofleet-worker" in writable


def test_a_worker_that_is_killed_is_started_again(resize: Instance) -> None:
    def main_pid() -> str:
        return resize.run("systemctl", "show", "--property=MainPID", "--value", "photofleet-resize").stdout.strip()

    wait_until_ready(resize)
    before = main_pid()

    resize.run("kill", "-KILL", before)

    resize.wait_until(lambda: main_pid() not in ("0", before), "another worker runs")


def test_a_spot_notice_ends_the_worker_and_it_stays_ended(resize: Instance, network_cloud: Cloud) -> None:
    resize.wait_until(
        lambda: resize.run("systemctl", "is-active", "photofleet-resize").stdout.strip() == "active", "it works"
    )
    notice = json.dumps({"action": "terminate", "time": "2030-01-01T00:00:00Z"})

    network_cloud.metadata.tell(resize.address, "spot/instance-action", notice)

    resize.wait_until(
        lambda: resize.run("systemctl", "is-active", "photofleet-resize").stdout.strip() == "inactive", "it has ended"
    )
    time.sleep(7)  # longer than a restart would wait
    assert resize.run("systemctl", "is-active", "photofleet-resize").stdout.strip() == "inactive"


def test_an_instance_whose_worker_does_not_stay_up_says_so_and_ends(label: Instance) -> None:
    wait_until_ready(label)
    label.run("sh", "-c", "echo 'raise SystemExit(1)' > /opt/photofleet/venv/bin/celery")

    label.run("systemctl", "kill", "--signal=KILL", "photofleet-label")

    label.wait_until(lambda: not label.is_on(), "it is powered off")
    assert "photofleet-label was started again and again, and does not stay up" in label.console
