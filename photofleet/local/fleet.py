"""The programs that make up Photofleet on one machine, in the order in which they start."""

import signal
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from urllib.request import urlopen

from photofleet.gpu import may_use_gpu
from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.environment import service_environment
from photofleet.local.postgres import EmbeddedPostgres
from photofleet.local.service import Service
from photofleet.settings import read_label_settings

_PYTHON = (sys.executable, "-m")
_PHOTOFLEET = (*_PYTHON, "photofleet.cli")

_THREADS = 8
"""With a GPU, which has little to do with one photo at a time; decoding more at once would take the website's cores."""


def stages(aws: EmbeddedAWS, postgres: EmbeddedPostgres, port: int) -> Sequence[Sequence[Service]]:
    """Return the services in stages, the website being served on `port`."""

    def launch_stacks() -> Mapping[str, str]:
        root = aws.client_environment()
        aws.identities.prepare(root, stacks.launch(root, postgres.url))
        return service_environment(aws, stacks.settings(root), postgres.url)

    cloud = Service(
        "aws",
        aws.command,
        aws.server_environment(),
        port=aws.port,
        is_ready=aws.answers,
        when_ready=launch_stacks,
    )
    database = Service(
        "postgres",
        postgres.command,
        port=postgres.port,
        ready_line="ready to accept connections",
        is_ready=postgres.answers,
        # To SIGTERM it would wait until everyone has left; to this it sends them away.
        stop_signal=signal.SIGINT,
    )
    web = Service(
        "web",
        (
            *(*_PYTHON, "gunicorn", "--config", "python:webapp.gunicorn_config"),
            *("--bind", f"127.0.0.1:{port}", "webapp.wsgi:app"),
        ),
        aws.identities.environment("web"),
        port=port,
        is_ready=partial(_answers, f"http://127.0.0.1:{port}/readyz"),
    )
    return (
        (cloud, database),
        # Web instances do both on AWS, too, before they serve.
        (
            Service("migrate", (*_PHOTOFLEET, "migrate"), web.environment, runs_once=True),
            Service("publish", (*_PYTHON, "webapp.publish"), web.environment, runs_once=True),
        ),
        (
            web,
            _worker("resize", aws.identities.environment("resize")),
            # More threads than one a process would only contend for the cores that resizing and serving need, too.
            _worker(
                "label",
                aws.identities.environment("label") | {"OMP_NUM_THREADS": "1"},
                *(("threads", _THREADS) if may_use_gpu(read_label_settings()) else ("prefork", 1)),
            ),
            Service("sweeper", (*_PHOTOFLEET, "sweep"), web.environment),
        ),
    )


def _worker(queue: str, environment: Mapping[str, str], pool: str = "prefork", slots: int = 1) -> Service:
    return Service(
        queue,
        (
            *(*_PYTHON, "celery", "--app", f"workers.{queue}", "worker", "--queues", queue),
            *("--hostname", f"{queue}@local", "--pool", pool, "--concurrency", str(slots)),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ),
        environment,
        ready_line=rf"{queue}@local ready\.",
        # A worker that is told to stop finishes what it holds first.
        stop_seconds=60,
    )


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=5) as response:  # noqa: S310 - an address of our own making
            return bool(response.status == HTTPStatus.OK)
    except OSError:
        return False
