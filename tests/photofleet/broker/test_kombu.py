"""What our transport takes for granted of kombu and Celery, which no release has promised."""

import inspect
from collections.abc import Callable
from importlib.metadata import requires
from typing import Any

import pytest
from celery.app.control import Control
from celery.worker import pidbox
from celery.worker import state as worker_state
from celery.worker.consumer import Consumer as WorkerConsumer
from celery.worker.request import Request
from kombu import pidbox as kombu_pidbox
from kombu.asynchronous import Hub
from kombu.transport import virtual
from kombu.transport.virtual.exchange import FanoutExchange
from packaging.requirements import Requirement

from photofleet.broker.sqs import Channel
from photofleet.broker.sqs.control import Mailbox

HOOKS = {
    "_new_queue": ["queue"],
    "_put": ["queue", "message"],
    "_lookup": ["exchange", "routing_key", "default"],
    "_restore": ["message"],
    "basic_consume": ["queue", "no_ack", "callback", "consumer_tag"],
    "basic_cancel": ["consumer_tag"],
    "basic_qos": ["prefetch_size", "prefetch_count", "apply_global"],
    "basic_ack": ["delivery_tag", "multiple"],
    "basic_reject": ["delivery_tag", "requeue"],
    "drain_events": ["timeout", "callback"],
    "after_reply_message_received": ["queue"],
    "close": [],
}
"""What kombu calls on a channel, and with what; the channel of ours that defines it follows."""


def parameters(function: object) -> list[str]:
    assert callable(function)
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    found = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in found if parameter.kind not in kinds and parameter.name != "self"]


@pytest.mark.parametrize(("name", "expected"), HOOKS.items())
def test_kombu_still_calls_the_hook(name: str, expected: list[str]) -> None:
    hook = getattr(virtual.Channel, name, None)
    assert hook is not None, f"kombu's channel has no {name} any more: photofleet/broker/sqs/channel.py defines it"
    assert parameters(hook) == expected, f"kombu calls {name} otherwise now: see photofleet/broker/sqs/channel.py"
    assert name in vars(Channel), f"our channel does not define {name} any more: take it off this list"


@pytest.mark.parametrize(
    ("caller", "call"),
    [
        (virtual.Channel.queue_bind, "self._queue_bind(exchange, *meta)"),
        (FanoutExchange.deliver, "_put_fanout(\n                exchange, message, routing_key, **kwargs)"),
        (virtual.Channel.basic_publish, "self._put(routing_key, message, **kwargs)"),
    ],
)
def test_kombu_still_makes_the_call(caller: Callable[..., object], call: str) -> None:
    assert call in inspect.getsource(caller), f"{caller.__qualname__} has changed: see photofleet/broker/sqs/channel.py"


@pytest.mark.parametrize(
    ("owner", "name", "why"),
    [
        (virtual.Transport, "_deliver", "it brings a message to its consumer"),
        (virtual.QoS, "can_consume_max_estimate", "it says how many messages a worker would take"),
        (virtual.QoS, "ack", "it says that a message was settled"),
        (Request, "on_failure", "workers/requests.py settles with it"),
        (Request, "on_timeout", "workers/requests.py logs with it"),
        (worker_state, "task_ready", "workers/requests.py settles with it"),
        (pidbox.Pidbox, "on_message", "it reads a worker's mailbox"),
        (Control, "Mailbox", "photofleet/broker/sqs/control.py replaces it"),
        (kombu_pidbox.Mailbox, "oid", "photofleet/broker/sqs/control.py names a thread's mailbox with it"),
        (WorkerConsumer, "on_decode_error", "photofleet/broker/sqs/consumer.py buries with it"),
        (Hub, "call_later", "photofleet/broker/sqs/channel.py delivers with it"),
        (Hub, "call_soon", "photofleet/broker/sqs/channel.py delivers with it"),
    ],
)
def test_a_name_that_we_use_is_still_there(owner: Any, name: str, why: str) -> None:
    assert hasattr(owner, name), f"{owner.__name__}.{name} is gone; {why}"


def test_kombu_still_waits_for_replies_in_the_way_that_ours_stands_in_for() -> None:
    why = "photofleet/broker/sqs/control.py has its own"
    assert parameters(kombu_pidbox.Mailbox._collect) == parameters(Mailbox._collect), why
    call = "self._collect(reply_ticket, limit=limit,"
    assert call in inspect.getsource(kombu_pidbox.Mailbox._broadcast), why
    assert "self.oid" in inspect.getsource(kombu_pidbox.Mailbox.get_reply_queue), why


@pytest.mark.parametrize("name", ["_active_queues", "_consumers", "closed"])
def test_an_attribute_of_the_virtual_channel_is_still_there(name: str) -> None:
    source = inspect.getsource(virtual.Channel)
    assert f"self.{name}" in source, f"kombu's virtual channel has no {name} any more: see photofleet/broker/sqs"


def test_queues_and_exchanges_of_remote_control_are_still_called_so() -> None:
    mailbox = kombu_pidbox.Mailbox("celery", type="fanout")
    why = "photofleet/broker/sqs/mailboxes.py tells mailboxes by their names"

    assert mailbox.get_queue("resize@one").name == "resize@one.celery.pidbox", why
    assert mailbox.exchange.name == "celery.pidbox", why
    assert mailbox.reply_exchange.name == "reply.celery.pidbox", why
    assert mailbox.get_reply_queue().name == f"{mailbox.oid}.reply.celery.pidbox", why


@pytest.mark.parametrize("library", ["kombu", "celery"])
def test_only_versions_that_were_tried_are_accepted(library: str) -> None:
    (requirement,) = (
        found for found in map(Requirement, requires("photofleet") or ()) if found.name == library and not found.marker
    )
    assert "5.7.0" in requirement.specifier
    assert "5.8.0" not in requirement.specifier, "first run the tests of the broker on it, and read what has changed"
