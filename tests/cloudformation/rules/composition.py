"""The root and what it nests fit together."""

from collections.abc import Iterator

from tests.cloudformation.rules.rule import (
    IMAGES,
    PIPELINE,
    ROOT,
    Documents,
    nested,
    references,
    resource,
    rule,
    templates,
)

FOR_PEOPLE = {
    "monitoring.yaml AlarmTopicArn": "Whoever has a pager or a chat subscribes it to the alarms.",
}
"""Outputs of nested stacks that the root does not read."""


@rule(
    lambda documents: resource(documents, ROOT, "WebStack").update(TemplateURL="./site.yaml"),
    lambda documents: resource(documents, ROOT, "WebStack").update(TemplateURL="https://example.com/web.yaml"),
    lambda documents: documents.update({"mail.yaml": {"Description": "Mail.", "Resources": {}}}),
)
def the_root_nests_every_template_but_those_of_stacks_of_their_own(documents: Documents) -> Iterator[str]:
    expected = {f"./{file}" for file in templates(documents)} - {f"./{name}" for name in (ROOT, PIPELINE, IMAGES)}
    found = {stack["TemplateURL"] for stack in nested(documents)}
    yield from (f"The root does not nest {url}." for url in sorted(expected - found))
    yield from (f"The root nests {url}, which is not there." for url in sorted(found - expected))


@rule(
    lambda documents: resource(documents, ROOT, "WebStack")["Parameters"].pop("ImageId"),
    lambda documents: resource(documents, ROOT, "WebStack")["Parameters"].update(Colour="blue"),
    lambda documents: documents["storage.yaml"]["Parameters"].update(Name={"Type": "String", "Default": ""}),
)
def the_root_gives_a_nested_template_exactly_its_parameters(documents: Documents) -> Iterator[str]:
    for stack in nested(documents):
        url = stack["TemplateURL"]
        declared = set(documents[url.removeprefix("./")].get("Parameters", {}))
        given = set(stack.get("Parameters", {}))
        yield from (f"The root does not give {url} its {name}." for name in sorted(declared - given))
        yield from (f"The root gives {url} a {name}, which it does not have." for name in sorted(given - declared))


def _outputs_read(documents: Documents) -> set[str]:
    """The outputs of nested stacks that the root reads, each as `file Output`."""
    return {
        f"{resource(documents, ROOT, stack)['TemplateURL'].removeprefix('./')} {output}"
        for reference in references([documents[ROOT]["Resources"], documents[ROOT]["Outputs"]])
        for stack, _, output in [reference.partition(".Outputs.")]
        if output
    }


@rule(
    lambda documents: documents["network.yaml"]["Outputs"].pop("VpcId"),
    lambda documents: documents[ROOT]["Outputs"]["SiteTarget"].update(Value={"Fn::Sub": "${WebStack.Outputs.Nothing}"}),
    lambda documents: documents["web.yaml"]["Outputs"].update(Spare={"Value": "x", "Description": "Spare."}),
    lambda documents: documents["monitoring.yaml"]["Outputs"].pop("AlarmTopicArn"),
)
def the_root_reads_existing_outputs_and_all_of_them(documents: Documents) -> Iterator[str]:
    read = _outputs_read(documents)
    files = {stack["TemplateURL"].removeprefix("./") for stack in nested(documents)}
    there = {f"{file} {output}" for file in files for output in documents[file].get("Outputs", {})}
    yield from (f"The root reads {output}, which is not there." for output in sorted(read - there))
    yield from (f"Nobody reads {output}." for output in sorted(there - read - set(FOR_PEOPLE)))
    yield from (
        f"{output} is not there, or not for people only." for output in FOR_PEOPLE if output not in there - read
    )


@rule(
    lambda documents: documents["network.yaml"]["Parameters"].update(Colour={"Type": "String"}),
    lambda documents: documents[ROOT]["Parameters"].update(Colour={"Type": "String"}),
)
def every_parameter_is_used(documents: Documents) -> Iterator[str]:
    for file, template in templates(documents).items():
        sections = ("Conditions", "Resources", "Outputs", "Rules")
        used = {name.split(".")[0] for name in references([template.get(section) for section in sections])}
        yield from (f"{file} does not use {name}." for name in template.get("Parameters", {}) if name not in used)
