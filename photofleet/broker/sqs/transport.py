"""The transport: one connection, as kombu calls it, to SNS and SQS."""

from typing import Any

from kombu.transport import virtual

from photofleet.broker.sqs.channel import Channel
from photofleet.broker.sqs.clients import patient_client
from photofleet.broker.sqs.mailboxes import Mailboxes
from photofleet.broker.sqs.options import Options
from photofleet.broker.sqs.publishing import Publisher
from photofleet.clients import AWS_ERRORS, prompt_client


class Transport(virtual.Transport):
    """One connection; the AWS clients behind it are those of the process."""

    Channel = Channel
    driver_type = "sqs"
    driver_name = "sqs"
    polling_interval: Any = None  # a long poll has waited already
    connection_errors: Any = (*virtual.Transport.connection_errors, *AWS_ERRORS)

    implements = virtual.Transport.implements.extend(asynchronous=True, exchange_type=frozenset({"direct", "fanout"}))

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.options = options = Options.read(client.transport_options)
        self.sqs = patient_client(options.wait_time_seconds)
        prompt_sqs = prompt_client("sqs")
        self.publisher = Publisher(prompt_client("sns"), options.topic_arns, prompt_sqs, options.queue_urls)
        self.mailboxes: Mailboxes | None = None
        if options.mailbox_prefix and options.queue_urls:
            queues_url = next(iter(options.queue_urls.values())).rpartition("/")[0] + "/"
            self.mailboxes = Mailboxes(prompt_sqs, options.mailbox_prefix, queues_url)

    def driver_version(self) -> str:
        """What `celery inspect` shows of this."""
        return "photofleet.broker.sqs"

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Keep the loop turning, so that a signal is noticed within a second."""
        loop.call_repeatedly(1, lambda: None)
