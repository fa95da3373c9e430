"""Showing people what a change set would change."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import click

from photofleet.stack.change_sets import Change, ChangeSet
from photofleet.stack.stacks import NESTED

_SIGNS = {"Add": "+ add", "Remove": "- REMOVE", "Import": "+ import", "Modify": "~ modify"}


def describe(stack: str, change_set: ChangeSet) -> Iterator[str]:
    """Yield lines: for every stack, the resources that would be added, modified, replaced and removed."""
    if change_set.blind_because:
        yield "CloudFormation cannot foresee what changes inside the nested stacks. " + change_set.blind_because
    # What is said of a nested stack whose own changes follow is only that they follow.
    shown = [change for change in change_set.changes if not (change.nested_changes and change.action == "Modify")]
    for path, changes in groupby(sorted(shown, key=lambda change: change.path), key=lambda change: change.path):
        yield f"{stack}/{path}" if path else stack
        yield from _table(list(changes))


def _table(changes: Sequence[Change]) -> Iterator[str]:
    width = max(len(change.logical_id) for change in changes)
    for change in changes:
        sign, colour = _sign(change)
        because = f" ({', '.join(change.reasons)})" if change.reasons else ""
        inside = "; what it changes inside is not shown" if change.type == NESTED and change.action == "Modify" else ""
        line = f"  {sign:<15} {change.logical_id:<{width}}  {change.type}{because}{inside}"
        yield click.style(line, fg=colour, bold=True) if colour else line


def _sign(change: Change) -> tuple[str, str | None]:
    if change.is_replaced:
        return "! REPLACE", "red"
    if change.action == "Remove":
        return _SIGNS["Remove"], "red"
    # Whether it comes to that depends on values that are not known before; the stack policy guards what holds state.
    if change.replacement == "Conditional":
        return "~ MAYBE REPLACE", "yellow"
    return _SIGNS.get(change.action, f"? {change.action}"), None
