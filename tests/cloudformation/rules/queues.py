"""Nothing is lost in a queue, or late, without somebody being told; and each stage has its own."""

from collections.abc import Iterator

from photofleet.catalog.models import STAGES
from tests.cloudformation.rules.rule import (
    ROOT,
    Documents,
    listed,
    mappings,
    nested,
    origins,
    properties,
    resource,
    resources,
    rule,
)


@rule(
    lambda documents: resource(documents, "messaging.yaml", "LabelQueue").pop("RedrivePolicy"),
    lambda documents: resource(documents, "messaging.yaml", "LabelDeadLetterQueue").update(MessageRetentionPeriod=60),
    lambda documents: resource(documents, "messaging.yaml", "ResizeQueue")["RedrivePolicy"].update(
        deadLetterTargetArn={"Fn::GetAtt": ["ResizeQueue", "Arn"]}
    ),
    lambda documents: resource(documents, "messaging.yaml", "ResizeSubscription").pop("RedrivePolicy"),
)
def every_queue_and_subscription_has_a_dead_letter_queue(documents: Documents) -> Iterator[str]:
    letters = dead_letter_queues(documents)
    for file, name, body in resources(documents, "AWS::SQS::Queue"):
        if f"{file} {name}" in letters:
            if "RedrivePolicy" in body["Properties"]:
                yield f"{file} {name} is a dead-letter queue and gives up on its letters itself."
            if body["Properties"].get("MessageRetentionPeriod") != 14 * 24 * 60 * 60:
                yield f"{file} {name} keeps dead letters for less than 14 days."
        elif "RedrivePolicy" not in body["Properties"]:
            yield f"{file} {name} has no dead-letter queue."
    for where, subscription in properties(documents, "AWS::SNS::Subscription"):
        if subscription["Protocol"] == "sqs" and "RedrivePolicy" not in subscription:
            yield f"{where} has no dead-letter queue."


def dead_letter_queues(documents: Documents) -> set[str]:
    """The queues that others send to what they give up on, each as `file Resource`."""
    return {
        origin.removesuffix(".Arn")
        for file, _, body in resources(documents, "AWS::SQS::Queue")
        for target in listed(body["Properties"].get("RedrivePolicy", {}).get("deadLetterTargetArn", []))
        for origin in origins(documents, file, target)
    }


@rule(
    lambda documents: documents["monitoring.yaml"]["Resources"].pop("LabelQueueIsLate"),
    lambda documents: documents["monitoring.yaml"]["Resources"].pop("ResizeDeadLetters"),
    lambda documents: resource(documents, "monitoring.yaml", "ResizeQueueIsLate").pop("AlarmActions"),
    lambda documents: documents["messaging.yaml"]["Outputs"]["LabelQueueName"].update(
        Value={"Fn::GetAtt": ["ResizeQueue", "QueueName"]}
    ),
    lambda documents: documents["web.yaml"]["Resources"].update(
        Mail={"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": {}}}
    ),
)
def somebody_is_told_of_a_queue_that_is_late_and_of_dead_letters(documents: Documents) -> Iterator[str]:
    letters = dead_letter_queues(documents)
    for file, name, _ in resources(documents, "AWS::SQS::Queue"):
        is_dead_letter_queue = f"{file} {name}" in letters
        metric = "ApproximateNumberOfMessagesVisible" if is_dead_letter_queue else "ApproximateAgeOfOldestMessage"
        if f"{file} {name}.QueueName" not in _watched(documents, metric):
            yield f"{file} {name} has no alarm on {metric}."


def _watched(documents: Documents, metric: str) -> set[str]:
    """What the alarms on a metric watch that tell people."""
    topics = {f"{file} {name}" for file, name, _ in resources(documents, "AWS::SNS::Topic")}
    watched: set[str] = set()
    for file, _, body in resources(documents, "AWS::CloudWatch::Alarm"):
        alarm = body["Properties"]
        if topics & origins(documents, file, alarm.get("AlarmActions")):
            for found in mappings(alarm):
                if found.get("MetricName") == metric:
                    watched |= origins(documents, file, found["Dimensions"])
    return watched


@rule(
    lambda documents: documents["workers.yaml"]["Parameters"]["Fleet"]["AllowedValues"].append("caption"),
    lambda documents: resource(documents, ROOT, "LabelStack")["Parameters"].update(Fleet="resize"),
    lambda documents: resource(documents, ROOT, "LabelStack")["Parameters"].update(
        QueueName={"Fn::GetAtt": ["MessagingStack", "Outputs.ResizeQueueName"]}
    ),
    lambda documents: documents["messaging.yaml"]["Resources"].update(CaptionQueue={"Type": "AWS::SQS::Queue"}),
    lambda documents: resource(documents, "messaging.yaml", "ResizeSubscription").update(
        Endpoint={"Fn::GetAtt": ["LabelQueue", "Arn"]}
    ),
)
def each_stage_has_a_queue_a_subscription_and_a_fleet_of_its_name(documents: Documents) -> Iterator[str]:
    """Stages are what Celery's queues are called."""
    fleets = {}
    for stack in nested(documents):
        if "Fleet" in stack.get("Parameters", {}):
            fleets[stack["Parameters"]["Fleet"]] = origins(documents, ROOT, stack["Parameters"]["QueueName"])
    if fleets != {stage: {f"messaging.yaml {stage.title()}Queue.QueueName"} for stage in STAGES}:
        yield f"The fleets and their queues are {fleets}."
    if documents["workers.yaml"]["Parameters"]["Fleet"]["AllowedValues"] != list(STAGES):
        yield "workers.yaml allows other fleets than the stages."
    queues = {name for file, name, _ in resources(documents, "AWS::SQS::Queue") if file == "messaging.yaml"}
    if queues != {f"{stage.title()}{kind}" for stage in STAGES for kind in ("Queue", "DeadLetterQueue")}:
        yield f"The queues are {queues}."
    heard = [
        subscription["Endpoint"]["Fn::GetAtt"][0]
        for _, _, body in resources({"messaging.yaml": documents["messaging.yaml"]}, "AWS::SNS::Subscription")
        if (subscription := body["Properties"]).get("RawMessageDelivery") is True
    ]
    if sorted(heard) != sorted(f"{stage.title()}Queue" for stage in STAGES):
        yield f"The topic is heard by {heard}."
