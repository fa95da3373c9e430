"""Templates that say what they are, and why they do without what is checked elsewhere."""

import re
from collections.abc import Iterator
from typing import Any

from tests.cloudformation.rules.rule import ROOT, Documents, is_sentence, mappings, resource, resources, rule, templates


@rule(
    lambda documents: documents["web.yaml"].pop("Description"),
    lambda documents: documents["web.yaml"]["Outputs"]["GroupName"].update(Description="The group"),
    lambda documents: documents["web.yaml"].update(AWSTemplateFormatVersion="2011-01-01"),
)
def every_template_and_output_is_described(documents: Documents) -> Iterator[str]:
    for file, template in templates(documents).items():
        if template.get("AWSTemplateFormatVersion") != "2010-09-09":
            yield f"{file} does not say that it is a template."
        if not is_sentence(template.get("Description")):
            yield f"{file} does not say what it is."
        for name, output in template.get("Outputs", {}).items():
            if not is_sentence(output.get("Description")):
                yield f"{file}: the output {name} is not described by a sentence."


@rule(lambda documents: documents[ROOT].update(Description="A website that takes photos."))
def the_root_says_whose_it_is(documents: Documents) -> Iterator[str]:
    """`photofleet stack` knows its own stacks by how their description begins."""
    if not documents[ROOT]["Description"].startswith("Photofleet"):
        yield "The root's description begins with another name."


@rule(
    lambda documents: resource(documents, "storage.yaml", "RenditionsBucket").update(BucketName="renditions"),
    lambda documents: resource(documents, "web.yaml", "Role").update(RoleName="web"),
)
def nothing_has_a_name_that_a_second_stack_could_not_have(documents: Documents) -> Iterator[str]:
    names = ("BucketName", "QueueName", "TopicName", "RoleName", "ManagedPolicyName", "GroupName", "AlarmName")
    for file, name, body in resources(documents):
        for key in names:
            if isinstance(body.get("Properties", {}).get(key), str):
                yield f"{file} {name} has a fixed {key}."


@rule(
    lambda documents: _skip(documents).pop("comment"),
    lambda documents: _skip(documents).update(id="*"),
    lambda documents: _skip(documents).update(comment=""),
    lambda documents: _skip(documents).update(comment="not needed"),
)
def every_skipped_check_has_its_reason(documents: Documents) -> Iterator[str]:
    for file, name, body in resources(documents):
        for skip in body.get("Metadata", {}).get("checkov", {}).get("skip", []):
            if not re.fullmatch(r"CKV2?_AWS_\d+", skip.get("id", "")) or not is_sentence(skip.get("comment")):
                yield f"{file} {name} skips {skip.get('id')} without a reason."


@rule(
    lambda documents: documents["web.yaml"]["Metadata"].update({"cfn-lint": {"config": {"ignore_checks": ["I"]}}}),
    lambda documents: documents["web.yaml"]["Resources"]["Role"].update(
        Metadata={"cfn-lint": {"config": {"ignore_checks": ["E3002"]}}}
    ),
    lambda documents: documents[ROOT]["Metadata"]["cfn-lint"]["config"]["ignore_checks"].append("E3012"),
)
def cfn_lint_overlooks_nothing_but_that_nested_templates_are_not_yet_uploaded(documents: Documents) -> Iterator[str]:
    for file, template in templates(documents).items():
        for mapping in mappings(template):
            ignored = mapping.get("cfn-lint", {}).get("config", {}).get("ignore_checks", [])
            if set(ignored) - ({"W3002"} if file == ROOT else set()):
                yield f"{file} has cfn-lint overlook {ignored}."


def _skip(documents: Documents) -> Any:
    return documents["storage.yaml"]["Resources"]["OriginalsBucket"]["Metadata"]["checkov"]["skip"][0]
