"""The running service as the adversary and the verdict see it: its processes, queues, buckets and catalog.

They go to AWS past the proxy, so that what is done to the service is not done to them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psutil
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from photofleet.catalog.models import STAGES, UNFINISHED, Photo, Stage
from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.postgres import EmbeddedPostgres
from photofleet.local.service import State
from photofleet.local.state import StateFolder
from tests.chaos.photos import Kind

COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
TAP = "chaos-tap"


def down(state: StateFolder) -> Sequence[Mapping[str, Any]]:
    """The programs that are not ready, the supervisor itself among them."""
    status = state.read_status()
    if not status or not status["services"]:
        return [{"name": "the supervisor", "state": "not there"}]
    return [program for program in status["services"] if program["state"] not in (State.READY, State.DONE)]


class World:
    """The service whose state is in a folder."""

    def __init__(self, state: StateFolder, aws: EmbeddedAWS, postgres: EmbeddedPostgres):
        self._state = state
        environment = aws.client_environment()
        self.sqs, self._sns, self._s3 = (stacks.client(environment, service) for service in ("sqs", "sns", "s3"))
        outputs = stacks.launched(environment)
        self.queues = {stage: outputs[f"{stage.title()}QueueUrl"] for stage in STAGES}
        self.dead_letter_queues = {stage: outputs[f"{stage.title()}DeadLetterUrl"] for stage in STAGES}
        self.originals_bucket, self.renditions_bucket = outputs["OriginalsBucket"], outputs["RenditionsBucket"]
        self._topic = outputs["TopicArn"]
        self._engine = create_engine(postgres.url, pool_pre_ping=True)

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()
        for client in (self.sqs, self._sns, self._s3):
            client.close()

    # Processes.

    def programs(self) -> Sequence[Mapping[str, Any]]:
        """What the supervisor says of each program."""
        status = self._state.read_status()
        assert status is not None, "the supervisor itself has died"
        programs: Sequence[Mapping[str, Any]] = status["services"]
        return programs

    def down(self) -> Sequence[Mapping[str, Any]]:
        """The programs that are not ready."""
        return down(self._state)

    def main_process(self, name: str) -> psutil.Process | None:
        """The process of a program, if it is ready."""
        for program in self.programs():
            if program["name"] == name and program["state"] == State.READY:
                return psutil.Process(program["pid"])
        return None

    # Queues.

    def depth(self, stage: str) -> tuple[int, int]:
        """How many messages of a queue are visible, and how many are in flight."""
        found = self.sqs.get_queue_attributes(QueueUrl=self.queues[stage], AttributeNames=COUNTS)["Attributes"]
        return int(found[COUNTS[0]]), int(found[COUNTS[1]])

    def dead_letters(self, stage: str) -> Sequence[str]:
        """The bodies in a dead-letter queue, which are hidden for a while then."""
        return [message["Body"] for message in self.take(self.dead_letter_queues[stage], hide_s=600)]

    def take(self, url: str, hide_s: int) -> Iterator[Mapping[str, Any]]:
        """All visible messages of a queue."""
        while messages := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=hide_s, WaitTimeSeconds=0
        ).get("Messages"):
            yield from messages

    def subscribe_tap(self) -> str:
        """A third queue on the topic, which gets its own copy of every announcement; its address."""
        url: str = self.sqs.create_queue(QueueName=TAP)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        let_in = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": self._topic}},
        }
        policy = {"Version": "2012-10-17", "Statement": [let_in]}
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        raw = {"RawMessageDelivery": "true"}
        self._sns.subscribe(TopicArn=self._topic, Protocol="sqs", Endpoint=arn, Attributes=raw)
        return url

    # Buckets.

    def objects(self, bucket: str, prefix: str = "") -> Mapping[str, int]:
        """The size of every object in a bucket whose key begins so, by its key."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", ())}

    # The catalog.

    def session(self) -> Session:
        """A session of the catalog."""
        return Session(self._engine)

    def unfinished(self) -> int:
        """How many stages are still owed."""
        with self.session() as session:
            return session.scalar(select(func.count()).where(Stage.state.in_(UNFINISHED))) or 0

    def most_attempts(self) -> int:
        """How many attempts the unluckiest stage has used up that is still owed and not poison."""
        innocent = Photo.filename.not_like(f"{Kind.POISON}-%")
        query = select(func.max(Stage.attempts)).join(Photo).where(Stage.state.in_(UNFINISHED), innocent)
        with self.session() as session:
            return session.scalar(query) or 0
