"""Instances that no program of another can speak for, in groups that an update neither resets nor replaces."""

from collections.abc import Iterator
from typing import Any

from tests.cloudformation.rules.rule import Documents, mappings, properties, resource, resources, rule

GROUP = "AWS::AutoScaling::AutoScalingGroup"


def _launched(documents: Documents, file: str) -> Any:
    return resource(documents, file, "LaunchTemplate")["LaunchTemplateData"]


@rule(
    lambda documents: _launched(documents, "web.yaml").pop("MetadataOptions"),
    lambda documents: _launched(documents, "web.yaml")["MetadataOptions"].update(HttpTokens="optional"),
    lambda documents: _launched(documents, "workers.yaml")["MetadataOptions"].update(HttpPutResponseHopLimit=2),
)
def the_metadata_service_answers_tokens_and_the_instance_itself_only(documents: Documents) -> Iterator[str]:
    for where, given in properties(documents, "AWS::EC2::LaunchTemplate"):
        options = given["LaunchTemplateData"].get("MetadataOptions", {})
        if options.get("HttpTokens") != "required":
            yield f"{where} does not require IMDSv2."
        if options.get("HttpPutResponseHopLimit") != 1:
            yield f"{where} has a hop limit other than 1."


@rule(
    lambda documents: _launched(documents, "workers.yaml").update(KeyName="mine"),
    lambda documents: resource(documents, "network.yaml", "WebFromLoadBalancer").update(FromPort=22),
)
def nobody_comes_in_by_ssh(documents: Documents) -> Iterator[str]:
    for where, given in properties(documents):
        for mapping in mappings(given):
            if "KeyName" in mapping:
                yield f"{where} lets in whoever has a key."
    for where, given in properties(documents, "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress"):
        for entry in given.get("SecurityGroupIngress", [given]):
            if 22 in range(entry.get("FromPort", 23), entry.get("ToPort", 0) + 1):
                yield f"{where} lets SSH through."


@rule(
    lambda documents: resource(documents, "web.yaml", "Group").update(DesiredCapacity=2),
    lambda documents: resource(documents, "workers.yaml", "OnDemandGroup").update(DesiredCapacity={"Ref": "Name"}),
)
def no_update_resets_how_many_instances_there_are(documents: Documents) -> Iterator[str]:
    for where, given in properties(documents, GROUP):
        if "DesiredCapacity" in given:
            yield f"{where} sets DesiredCapacity, so each update of the stack resets it."


@rule(
    lambda documents: documents["workers.yaml"]["Resources"]["SpotGroup"].update(
        UpdatePolicy={"AutoScalingReplacingUpdate": {"WillReplace": True}}
    ),
    lambda documents: documents["web.yaml"]["Resources"]["Group"].pop("UpdatePolicy"),
    lambda documents: resource(documents, "web.yaml", "Group").pop("InstanceMaintenancePolicy"),
    lambda documents: resource(documents, "workers.yaml", "OnDemandGroup").pop("LifecycleHookSpecificationList"),
    lambda documents: resource(documents, "workers.yaml", "SpotGroup")["LifecycleHookSpecificationList"][0].update(
        DefaultResult="ABANDON"
    ),
)
def an_update_replaces_instances_one_after_the_other_and_workers_drain(documents: Documents) -> Iterator[str]:
    for file, name, body in resources(documents, GROUP):
        where, given = f"{file} {name}", body["Properties"]
        if set(body.get("UpdatePolicy", {})) != {"AutoScalingInstanceRefresh"}:
            yield f"{where} is not updated by a refresh of its instances."
        if "InstanceMaintenancePolicy" not in given:
            yield f"{where} does not say how many instances may be missing."
        hooks = [
            hook
            for hook in given.get("LifecycleHookSpecificationList", [])
            if hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
        ]
        if file == "workers.yaml" and [hook["DefaultResult"] for hook in hooks] != ["CONTINUE"]:
            yield f"{where} has no hook in which its workers drain."


@rule(
    lambda documents: documents["web.yaml"]["Resources"].update(
        Old={"Type": GROUP, "UpdatePolicy": {"AutoScalingReplacingUpdate": {"WillReplace": False}}}
    ),
)
def nothing_is_ever_replaced_as_a_whole(documents: Documents) -> Iterator[str]:
    for file, name, body in resources(documents):
        if any("WillReplace" in mapping for mapping in mappings(body)):
            yield f"{file} {name} mentions WillReplace."


@rule(
    lambda documents: resource(documents, "web.yaml", "Group")["LaunchTemplate"].update(Version="$Latest"),
    lambda documents: resource(documents, "workers.yaml", "SpotGroup")["MixedInstancesPolicy"]["LaunchTemplate"][
        "LaunchTemplateSpecification"
    ].update(Version={"Fn::GetAtt": ["LaunchTemplate", "DefaultVersionNumber"]}),
)
def a_group_has_the_version_of_its_launch_template_that_the_stack_made(documents: Documents) -> Iterator[str]:
    latest = {"Fn::GetAtt": ["LaunchTemplate", "LatestVersionNumber"]}
    for where, given in properties(documents, GROUP):
        versions = [mapping["Version"] for mapping in mappings(given) if "LaunchTemplateId" in mapping]
        if versions != [latest]:
            yield f"{where} takes another version of its launch template than the one in the stack."


@rule(
    lambda documents: resource(documents, "workers.yaml", "SpotGroup").pop("MetricsCollection"),
    lambda documents: resource(documents, "web.yaml", "Group").pop("DefaultInstanceWarmup"),
)
def a_group_reports_its_numbers_and_says_how_long_it_warms_up(documents: Documents) -> Iterator[str]:
    for where, given in properties(documents, GROUP):
        if given.get("MetricsCollection") != [{"Granularity": "1Minute"}]:
            yield f"{where} does not report its numbers every minute, which its scaling is decided by."
        if "DefaultInstanceWarmup" not in given:
            yield f"{where} does not say how long an instance warms up."
