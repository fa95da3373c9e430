"""Whatever holds state outlives its stack and every mistake; nothing else holds any."""

from collections.abc import Iterator
from typing import Any

from photofleet.stack.guard_rails import STATEFUL as GUARDED
from tests.cloudformation.rules.rule import (
    NESTED,
    PIPELINE,
    Documents,
    mappings,
    properties,
    resource,
    resources,
    rule,
)

# Also those that no template has today, so that whoever adds one is told.
STATEFUL = {
    "AWS::Backup::BackupVault",
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::ECR::Repository",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
}

# State on instances, and what instances share, were each the end of a service once.
FORBIDDEN = (
    "AWS::AutoScaling::LaunchConfiguration",
    "AWS::EC2::Instance",
    "AWS::EC2::SpotFleet",
    "AWS::EC2::Volume",
    "AWS::ECS::",
    "AWS::EFS::",
    "AWS::FSx::",
    "AWS::Lightsail::",
)


def _stateful(documents: Documents) -> Iterator[tuple[str, str, Any]]:
    for file, name, body in resources(documents, *STATEFUL):
        # The cluster holds the data, its instances come and go.
        if "DBClusterIdentifier" not in body.get("Properties", {}):
            yield file, name, body


@rule(
    lambda documents: documents["storage.yaml"]["Resources"]["OriginalsBucket"].pop("DeletionPolicy"),
    lambda documents: documents["database.yaml"]["Resources"]["Cluster"].update(UpdateReplacePolicy="Delete"),
    lambda documents: documents["pipeline.yaml"]["Resources"].update(Images={"Type": "AWS::ECR::Repository"}),
)
def what_holds_state_outlives_its_stack(documents: Documents) -> Iterator[str]:
    for file, name, body in _stateful(documents):
        # With RetainExceptOnCreate, what was made just now for a stack that then failed is not left in the way.
        if body.get("DeletionPolicy") not in ("Retain", "RetainExceptOnCreate", "Snapshot"):
            yield f"{file} {name} goes with its stack."
        if body.get("UpdateReplacePolicy") not in ("Retain", "Snapshot"):
            yield f"{file} {name} goes when an update replaces it."


@rule(
    lambda documents: documents["photofleet.yaml"]["Resources"]["StorageStack"].pop("DeletionPolicy"),
    lambda documents: documents["database.yaml"]["Resources"]["FirstClusterInstance"].pop("UpdateReplacePolicy"),
)
def what_may_go_says_so(documents: Documents) -> Iterator[str]:
    for file, name, body in resources(documents, *STATEFUL, NESTED):
        if "DeletionPolicy" not in body or "UpdateReplacePolicy" not in body:
            yield f"{file} {name} leaves to AWS what becomes of it."


@rule(
    lambda documents: documents["stack-policy.json"]["Statement"].pop(),
    lambda documents: documents["stack-policy.json"]["Statement"][1].update(Action="Update:Replace"),
    lambda documents: documents["stack-policy.json"]["Statement"][1].update(Principal={"AWS": "somebody"}),
    lambda documents: documents["stack-policy.json"]["Statement"][1]["Condition"]["StringEquals"]["ResourceType"].pop(),
    lambda documents: documents["web.yaml"]["Resources"].update(Sessions={"Type": "AWS::DynamoDB::Table"}),
)
def the_stack_policy_and_the_guard_rails_protect_what_holds_state(documents: Documents) -> Iterator[str]:
    protected = {
        kind
        for statement in documents["stack-policy.json"]["Statement"]
        if (statement["Effect"], statement["Principal"], statement["Resource"]) == ("Deny", "*", "*")
        and set(statement["Action"]) == {"Update:Replace", "Update:Delete"}
        for kind in statement["Condition"]["StringEquals"]["ResourceType"]
    }
    held = {body["Type"] for file, _, body in _stateful(documents) if file != PIPELINE}
    yield from (f"The stack policy lets {kind} be replaced." for kind in sorted((held | {NESTED}) - protected))
    yield from (f"The guard rails do not know {kind}." for kind in sorted(held - set(GUARDED)))
    yield from (f"The stack policy protects {kind}, which is not there." for kind in protected - held - {NESTED})


@rule(
    lambda documents: documents["web.yaml"]["Resources"].update(Uploads={"Type": "AWS::EFS::FileSystem"}),
    lambda documents: documents["database.yaml"]["Resources"].update(Database={"Type": "AWS::EC2::Instance"}),
)
def nothing_holds_state_on_instances_or_between_them(documents: Documents) -> Iterator[str]:
    for file, name, body in resources(documents):
        if body["Type"].startswith(FORBIDDEN):
            yield f"{file} {name} is of the type {body['Type']}."


@rule(
    lambda documents: _first_disk(documents, "workers.yaml").update(Encrypted=False),
    lambda documents: _first_disk(documents, "web.yaml").pop("Encrypted"),
    lambda documents: resource(documents, "web.yaml", "LaunchTemplate")["LaunchTemplateData"].pop(
        "BlockDeviceMappings"
    ),
)
def every_volume_is_encrypted(documents: Documents) -> Iterator[str]:
    for where, given in properties(documents):
        disks = [mapping["Ebs"] for mapping in mappings(given) if "Ebs" in mapping]
        if not all(disk.get("Encrypted") is True for disk in disks):
            yield f"{where} has a volume that is not encrypted."
        if "LaunchTemplateData" in given and not disks:
            yield f"{where} leaves to its image whether its volumes are encrypted."


def _first_disk(documents: Documents, file: str) -> Any:
    return resource(documents, file, "LaunchTemplate")["LaunchTemplateData"]["BlockDeviceMappings"][0]["Ebs"]
