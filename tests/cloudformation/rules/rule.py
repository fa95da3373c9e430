"""What rules about the templates are made of.

A rule is a generator of sentences, each about one thing that breaks it; a template that keeps it yields none. Beside it
stand changes of the templates that it has to find, as a rule that finds nothing is worth nothing.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from photofleet.fleet.template import load_template

FOLDER = Path(__file__).parents[3] / "cloudformation"

Documents = dict[str, Any]
"""Templates, parameter sets and the stack policy, by their paths in the folder."""
Rule = Callable[[Documents], Iterator[str]]
Breach = Callable[[Documents], object]

ROOT = "photofleet.yaml"
PIPELINE = "pipeline.yaml"
IMAGES = "images.yaml"
NESTED = "AWS::CloudFormation::Stack"

RULES: dict[Rule, tuple[Breach, ...]] = {}


def rule(*breaches: Breach) -> Callable[[Rule], Rule]:
    """Add a rule, with the changes of the documents that break it."""

    def add(function: Rule) -> Rule:
        RULES[function] = breaches
        return function

    return add


@cache
def _read() -> str:
    found = {path.name: load_template(path) for path in sorted(FOLDER.glob("*.yaml"))}
    for path in sorted(FOLDER.rglob("*.json")):
        found[path.relative_to(FOLDER).as_posix()] = json.loads(path.read_text(encoding="utf-8"))
    return json.dumps(found)


def documents() -> Documents:
    """All documents, to be changed at will."""
    found: Documents = json.loads(_read())
    return found


def templates(documents: Documents) -> dict[str, Any]:
    return {name: document for name, document in documents.items() if name.endswith(".yaml")}


def resources(documents: Documents, *types: str) -> Iterator[tuple[str, str, Any]]:
    """The file, the name and the body of every resource, or of those of some types."""
    for file, template in templates(documents).items():
        for name, resource in template["Resources"].items():
            if not types or resource["Type"] in types:
                yield file, name, resource


def properties(documents: Documents, *types: str) -> Iterator[tuple[str, Any]]:
    """Where each resource of some types is, for a sentence, and its properties."""
    for file, name, resource in resources(documents, *types):
        yield f"{file} {name}", resource.get("Properties", {})


def resource(documents: Documents, file: str, name: str) -> Any:
    """The properties of one resource."""
    return documents[file]["Resources"][name]["Properties"]


def mappings(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a part of a document."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from mappings(inner)


def listed(value: Any) -> list[Any]:
    """What may stand alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]


def references(node: Any) -> Iterator[str]:
    """What a part of a template refers to: names, and `Resource.Attribute`."""
    for mapping in mappings(node):
        if len(mapping) == 1:
            [(function, argument)] = mapping.items()
            if function == "Ref":
                yield argument
            elif function == "Fn::GetAtt":
                yield ".".join(argument)
            elif function == "Fn::Sub":
                text, given = (argument, {}) if isinstance(argument, str) else argument
                yield from (name for name in re.findall(r"\$\{([^!}][^}]*)\}", text) if name not in given)


def origins(documents: Documents, file: str, node: Any) -> set[str]:
    """The resources that a value comes from, through outputs and parameters, each as `file Resource.Attribute`."""
    found = set()
    for reference in references(node):
        name, _, attribute = reference.partition(".")
        if name in documents[file].get("Parameters", {}):
            for stack in nested(documents):
                if stack["TemplateURL"] == f"./{file}" and name in stack["Parameters"]:
                    found |= origins(documents, ROOT, stack["Parameters"][name])
        elif attribute.startswith("Outputs."):
            child = resource(documents, file, name)["TemplateURL"].removeprefix("./")
            output = documents[child]["Outputs"].get(attribute.removeprefix("Outputs."), {})
            found |= origins(documents, child, output.get("Value"))
        elif name in documents[file]["Resources"]:
            found.add(f"{file} {reference}")
    return found


def nested(documents: Documents) -> list[Any]:
    """The properties of each stack that the root nests."""
    return [body["Properties"] for _, _, body in resources({ROOT: documents[ROOT]}, NESTED)]


def is_sentence(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(r"\S.*[^.]\.", text.strip(), re.DOTALL) is not None
