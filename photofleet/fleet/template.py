"""CloudFormation templates as data: read with their intrinsic functions, and worked out for given parameters.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

import base64
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

# What CloudFormation knows without being told; parameters of the same names replace them.
PSEUDO_PARAMETERS: Mapping[str, Any] = {
    "AWS::AccountId": "123456789012",
    "AWS::NoValue": None,
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/photofleet/0-0-0-0-0",
    "AWS::StackName": "photofleet",
    "AWS::URLSuffix": "amazonaws.com",
}


class TemplateError(ValueError):
    """A template, or a parameter for it, that cannot be worked out; says what is wrong and where."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML with CloudFormation's short forms, and with dates left alone: a template's version is a text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _short_form(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _short_form)


def load_template(path: Path) -> dict[str, Any]:
    """Read the template in a file."""
    return parse_template(path.read_text(encoding="utf-8"), str(path))


def parse_template(text: str, source: str) -> dict[str, Any]:
    """Read a template, its short forms (`!Sub …`) as their long ones (`{"Fn::Sub": …}`).

    Raises:
        TemplateError: it is none; `source` says where it is from.
    """
    try:
        template = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise TemplateError(f"{source} is not YAML: {error}") from error
    if not isinstance(template, dict) or "Resources" not in template:
        raise TemplateError(f"{source} is not a CloudFormation template: it has no Resources.")
    return template


def resolve(template: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """A template's Resources and Outputs for given parameters, without those whose condition is false.

    A reference to a resource becomes its logical id, and one to its attribute `id.attribute`.
    """
    declared = template.get("Parameters", {})
    unknown = set(parameters) - set(declared) - set(PSEUDO_PARAMETERS)
    if unknown:
        raise TemplateError(f"The template has no parameter {', '.join(sorted(unknown))}.")
    values: dict[str, Any] = {name: parameters.get(name, value) for name, value in PSEUDO_PARAMETERS.items()}
    for name, declaration in declared.items():
        value = parameters.get(name, declaration.get("Default"))
        if value is None:
            raise TemplateError(f"Give a value for the template's parameter {name}: it has no default.")
        is_list = declaration["Type"] == "CommaDelimitedList" or declaration["Type"].startswith("List<")
        values[name] = str(value).split(",") if is_list else str(value)
    resolver = _Resolver(template, values)
    return {section: resolver.section(section) for section in ("Resources", "Outputs")}


class _Resolver:
    """Works out the functions of one template."""

    def __init__(self, template: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        self.template = template
        self.values = values
        self.functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self.ref,
            "Fn::GetAtt": self.get_att,
            "Fn::Sub": self.sub,
            "Fn::If": self.choose,
            "Condition": self.condition,
            "Fn::Equals": lambda both: self.value(both[0]) == self.value(both[1]),
            "Fn::Not": lambda one: not self.value(one[0]),
            "Fn::And": lambda several: all(self.value(one) for one in several),
            "Fn::Or": lambda several: any(self.value(one) for one in several),
            "Fn::Join": lambda parts: self.value(parts[0]).join(self.value(parts[1])),
            "Fn::Select": lambda parts: self.value(parts[1])[int(self.value(parts[0]))],
            "Fn::Split": lambda parts: self.value(parts[1]).split(self.value(parts[0])),
            "Fn::FindInMap": self.find_in_map,
            "Fn::Base64": lambda text: base64.b64encode(self.value(text).encode()).decode(),
        }

    def section(self, name: str) -> dict[str, Any]:
        resolved = {}
        for key, entry in self.template.get(name, {}).items():
            if "Condition" not in entry or self.condition(entry["Condition"]):
                body = {part: content for part, content in entry.items() if part != "Condition"}
                try:
                    resolved[key] = self.value(body)
                except (IndexError, KeyError, TypeError, AttributeError) as error:
                    raise TemplateError(
                        f"A function in {name} {key} has arguments that do not fit: {error!r}"
                    ) from error
        return resolved

    def value(self, node: Any) -> Any:
        """A part of the template without functions, and without what is AWS::NoValue."""
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not None]
        if not isinstance(node, dict):
            return node
        name = next(iter(node), "")
        if len(node) == 1 and (name == "Ref" or name.startswith("Fn::") or self.is_condition(node)):
            if name not in self.functions:
                raise TemplateError(f"The function {name} is not supported here.")
            return self.functions[name](node[name])
        return {key: value for key, value in ((key, self.value(node[key])) for key in node) if value is not None}

    def is_condition(self, node: Mapping[str, Any]) -> bool:
        """A policy statement's Condition is a mapping; a reference to a condition is its name."""
        return isinstance(node.get("Condition"), str)

    def ref(self, name: str) -> Any:
        if name in self.values:
            return self.values[name]
        if name in self.template["Resources"]:
            return name
        raise TemplateError(f"Neither a parameter nor a resource is called {name}.")

    def get_att(self, parts: list[str]) -> str:
        if parts[0] not in self.template["Resources"]:
            raise TemplateError(f"No resource is called {parts[0]}.")
        return ".".join(parts)

    def sub(self, argument: str | list[Any]) -> str:
        text, given = argument if isinstance(argument, list) else (argument, {})
        variables = {name: self.value(value) for name, value in given.items()}

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in variables:
                return str(variables[name])
            return str(self.get_att(name.split(".", 1)) if "." in name else self.ref(name))

        return re.sub(r"\$\{([^}]+)\}", replace, text)

    def choose(self, parts: list[Any]) -> Any:
        return self.value(parts[1] if self.condition(parts[0]) else parts[2])

    def condition(self, name: str) -> bool:
        conditions = self.template.get("Conditions", {})
        if name not in conditions:
            raise TemplateError(f"No condition is called {name}.")
        return bool(self.value(conditions[name]))

    def find_in_map(self, parts: list[Any]) -> Any:
        name, first, second = (self.value(part) for part in parts)
        try:
            return self.template["Mappings"][name][first][second]
        except KeyError as error:
            raise TemplateError(f"The mapping {name} has no {first}.{second}.") from error
