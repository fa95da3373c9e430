"""The parameters of a stack: given in a file and on the command line, or kept as they are."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from photofleet.stack import StackError


def read_file(path: Path) -> dict[str, str]:
    """Read a parameter file: JSON with an object Parameters, the shape that CodePipeline and the AWS CLI read, too.

    Raises:
        StackError: it cannot be read or is of another shape.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"The parameter file {path} cannot be read: {error}.") from error


def parse(text: str, source: str) -> dict[str, str]:
    """Return the parameters in the text of a parameter file; `source` names it in errors.

    Raises:
        StackError: the text is of another shape.
    """
    shape = 'It must look like {"Parameters": {"Name": "value", …}}.'
    try:
        content = json.loads(text)
    except ValueError as error:
        raise StackError(f"{source} is no JSON: {error}. {shape}") from error
    found = content.get("Parameters") if isinstance(content, dict) and set(content) == {"Parameters"} else None
    if not isinstance(found, dict):
        raise StackError(f"{source} is no parameter file. {shape}")
    for name, value in found.items():
        if not isinstance(value, str):
            raise StackError(f"{source}: the value of {name} must be a text in quotation marks, not {value!r}.")
    return found


def parse_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """Return what `-p Key=Value` says.

    Raises:
        StackError: a pair has no "=", or a key comes twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise StackError(f"-p {pair}: a parameter is given as Name=Value.")
        if name in found:
            raise StackError(f"-p {pair}: {name} is given twice.")
        found[name] = value
    return found


def combine(
    declared: Sequence[str], given: Mapping[str, str], existing: Iterable[str] = ()
) -> list[Mapping[str, str | bool]]:
    """Return the parameters as CloudFormation takes them.

    `declared` are the template's, `given` those that get a value now, `existing` those that the stack has: they keep
    their values. The rest have the template's defaults.

    Raises:
        StackError: a parameter is given that the template does not have.
    """
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise StackError(
            f"The template has no parameter {', '.join(unknown)}. Its parameters are {', '.join(sorted(declared))}."
        )
    kept = set(existing) - set(given)
    new: list[Mapping[str, str | bool]] = [
        {"ParameterKey": name, "ParameterValue": given[name]} for name in declared if name in given
    ]
    return new + [{"ParameterKey": name, "UsePreviousValue": True} for name in declared if name in kept]


def values(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters of a described stack."""
    return {item["ParameterKey"]: item.get("ParameterValue", "") for item in stack.get("Parameters", [])}
