"""A Celery transport over Amazon SNS and SQS that a fleet can be run on. It uses nothing else of Photofleet.

    transport = "photofleet.broker.sqs:Transport"
    app = Celery(broker_url="sqs://", broker_transport=transport, broker_transport_options={...})

The options are those of `photofleet.broker.sqs.options.Options`. A message's way through the modules:

    publishing   to a topic, which copies it into each fleet's queue
    receiving    by a thread for each queue, and an inbox that holds what the worker cannot take yet
    visibility   of what is held, kept from other workers for as long as this one works
    settling     what is done, given back or buried, in batches
    mailboxes    a queue for each worker, so that `celery inspect` and `celery control` reach it
    consumer     Celery's, that buries what it cannot read
    control      asking workers, with one mailbox for all replies
    channel      puts these together as kombu, Celery's messaging library, expects it
"""

from photofleet.broker.sqs.channel import Channel
from photofleet.broker.sqs.consumer import Consumer
from photofleet.broker.sqs.control import Control
from photofleet.broker.sqs.transport import Transport
from photofleet.clients import AWS_ERRORS

__all__ = ["AWS_ERRORS", "Channel", "Consumer", "Control", "Transport"]
