"""Who may do what: nothing is allowed on everything, and nobody is let in unencrypted."""

from collections.abc import Iterator
from typing import Any

from tests.cloudformation.rules.rule import (
    IMAGES,
    PIPELINE,
    Documents,
    listed,
    mappings,
    origins,
    resource,
    resources,
    rule,
)

# Their policies speak of the resource that they belong to, which they cannot name.
OF_THEIR_OWN_RESOURCE = ("AWS::KMS::Key", "AWS::EC2::VPCEndpoint")

# Actions that IAM knows for "*" only, as the Service Authorization Reference has them.
WITHOUT_RESOURCES = {
    "autoscaling:DescribeAutoScalingInstances": "An instance looks up its own group.",
    "cloudwatch:PutMetricData": "A condition holds it to our namespace.",
    "sqs:ListQueues": "Operators find the mailboxes of the workers by their names.",
    "ssmmessages:CreateControlChannel": "The channel is that of the instance which asks.",
    "ssmmessages:CreateDataChannel": "The channel is that of the instance which asks.",
    "ssmmessages:OpenControlChannel": "The channel is that of the instance which asks.",
    "ssmmessages:OpenDataChannel": "The channel is that of the instance which asks.",
}

# Of the pipeline, which launches the stacks; no instance of the service has them.
OF_THE_PIPELINE = {
    "pipeline.yaml UnnamedPolicy": "It makes what AWS names itself, and what is not made has no name yet.",
    "pipeline.yaml DriftRole": "It reads how things are configured, not their content, and writes nothing.",
}

REFUSAL = {"Effect": "Deny", "Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": False}}}
POLICIES = ("AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy")


def statements(documents: Documents) -> Iterator[tuple[str, str, Any]]:
    """Where each statement of a policy is, the type of its resource, and the statement."""
    for file, name, body in resources(documents):
        for mapping in mappings(body.get("Properties", {})):
            if "Effect" in mapping:
                yield f"{file} {name}", body["Type"], mapping


def _first(documents: Documents, file: str, name: str) -> Any:
    return resource(documents, file, name)["PolicyDocument"]["Statement"][0]


@rule(
    lambda documents: _first(documents, "storage.yaml", "WebPolicy").update(Resource="*"),
    lambda documents: _first(documents, "storage.yaml", "WebPolicy").update(
        Resource=[{"Fn::Sub": "arn:${AWS::Partition}:s3:::*"}]
    ),
    lambda documents: _first(documents, "database.yaml", "WorkerPolicy")["Fn::If"][2].update(
        Resource={"Fn::If": ["IsNew", {"Ref": "AWS::NoValue"}, "*"]}
    ),
    lambda documents: resource(documents, "web.yaml", "Role")["Policies"][0]["PolicyDocument"]["Statement"].append(
        {"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"}
    ),
)
def no_role_may_do_something_to_everything(documents: Documents) -> Iterator[str]:
    for where, kind, statement in statements(documents):
        if statement["Effect"] == "Allow" and kind not in OF_THEIR_OWN_RESOURCE and where not in OF_THE_PIPELINE:
            for action in listed(statement["Action"]) if _is_everything(statement.get("Resource")) else ():
                if action not in WITHOUT_RESOURCES:
                    yield f"{where} allows {action} on everything."


def _is_everything(target: Any) -> bool:
    """Whether one of the texts in a statement's Resource, whatever function it is in, is * or an ARN that ends so."""
    if isinstance(target, str):
        return target.replace("${AWS::", "").split(":", 5)[-1] == "*"
    return any(map(_is_everything, target.values() if isinstance(target, dict) else target or ()))


@rule(
    lambda documents: resource(documents, "workers.yaml", "Role").pop("Policies"),
    lambda documents: documents["pipeline.yaml"]["Resources"].pop("DriftRole"),
)
def every_exception_is_needed(documents: Documents) -> Iterator[str]:
    used = {
        where if where in OF_THE_PIPELINE else action
        for where, _, statement in statements(documents)
        if "*" in listed(statement.get("Resource", []))
        for action in listed(statement["Action"])
    }
    yield from (
        f"{name} is excepted for nothing." for name in [*WITHOUT_RESOURCES, *OF_THE_PIPELINE] if name not in used
    )


@rule(
    lambda documents: _put_metric_data(documents).pop("Condition"),
    lambda documents: _put_metric_data(documents).update(Condition={"StringEquals": {"aws:SourceAccount": "1"}}),
)
def who_sends_metrics_sends_them_to_a_namespace_of_ours(documents: Documents) -> Iterator[str]:
    """Or it could feed the alarms and scaling policies of others."""
    for where, _, statement in statements(documents):
        condition = statement.get("Condition", {}).get("StringEquals", {})
        if "cloudwatch:PutMetricData" in listed(statement["Action"]) and "cloudwatch:namespace" not in condition:
            yield f"{where} may send any metric."


def _put_metric_data(documents: Documents) -> Any:
    return next(found for _, _, found in statements(documents) if found["Action"] == "cloudwatch:PutMetricData")


@rule(
    lambda documents: _first(documents, "storage.yaml", "WebPolicy").update(Action="s3:*"),
    lambda documents: _first(documents, "storage.yaml", "WebPolicy").update(Action=["*"]),
    lambda documents: _first(documents, "messaging.yaml", "UploadPolicy").update(NotAction="sns:Publish"),
    lambda documents: _first(documents, "messaging.yaml", "UploadPolicy").update(NotResource="arn:aws:sns:x"),
)
def no_tier_may_do_everything(documents: Documents) -> Iterator[str]:
    for where, kind, statement in statements(documents):
        if statement["Effect"] == "Allow":
            if {"NotAction", "NotResource", "NotPrincipal"} & set(statement):
                yield f"{where} allows whatever it does not name."
            wide = [action for action in listed(statement.get("Action", [])) if action.split(":", 1)[-1] == "*"]
            if wide and kind not in OF_THEIR_OWN_RESOURCE and not where.startswith(PIPELINE):
                yield f"{where} allows {wide[0]}."


@rule(
    lambda documents: resource(documents, "web.yaml", "Role").update(
        ManagedPolicyArns=[{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"}]
    ),
    lambda documents: resource(documents, "workers.yaml", "Role").update(
        ManagedPolicyArns=["arn:aws:iam::aws:policy/AmazonS3FullAccess"]
    ),
)
def no_tier_has_a_policy_that_aws_may_widen(documents: Documents) -> Iterator[str]:
    for file, name, body in resources(documents, "AWS::IAM::Role"):
        if ":iam::aws:policy/" in str(body["Properties"].get("ManagedPolicyArns")) and file not in (PIPELINE, IMAGES):
            yield f"{file} {name} has a policy of AWS's own."


@rule(
    lambda documents: _first(documents, "storage.yaml", "OriginalsBucketPolicy").update(Effect="Allow"),
    lambda documents: resource(documents, "messaging.yaml", "TopicPolicy")["PolicyDocument"]["Statement"][0].update(
        Effect="Allow"
    ),
    lambda documents: resource(documents, "web.yaml", "Role")["AssumeRolePolicyDocument"]["Statement"][0].update(
        Principal={"AWS": "*"}
    ),
)
def nobody_unknown_is_let_in(documents: Documents) -> Iterator[str]:
    for where, kind, statement in statements(documents):
        principal = statement.get("Principal", {})
        everybody = "*" in (listed(principal.get("AWS", [])) if isinstance(principal, dict) else principal)
        if statement["Effect"] == "Allow" and everybody and kind != "AWS::EC2::VPCEndpoint":
            yield f"{where} lets everybody in."


@rule(
    lambda documents: _first(documents, "storage.yaml", "OriginalsBucketPolicy").pop("Condition"),
    lambda documents: _first(documents, "messaging.yaml", "TopicPolicy").update(Principal={"Service": "x"}),
    lambda documents: documents["messaging.yaml"]["Resources"].pop("LabelDeadLetterQueuePolicy"),
    lambda documents: documents["monitoring.yaml"]["Resources"].pop("AlarmTopicPolicy"),
)
def nothing_is_reached_over_an_unencrypted_connection(documents: Documents) -> Iterator[str]:
    refusing = set()
    for file, _, body in resources(documents, *POLICIES):
        given = body["Properties"]
        if any(statement.items() >= REFUSAL.items() for statement in given["PolicyDocument"]["Statement"]):
            refusing |= origins(documents, file, [given.get(key) for key in ("Bucket", "Topics", "Queues")])
    for file, name, _ in resources(documents, "AWS::S3::Bucket", "AWS::SNS::Topic", "AWS::SQS::Queue"):
        if f"{file} {name}" not in refusing:
            yield f"{file} {name} can be reached over an unencrypted connection."
