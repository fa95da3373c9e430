"""The commands `photofleet stack launch`, `status` and `delete`."""

import json
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from photofleet.stack import Clients, StackError, deletion
from photofleet.stack.change_sets import ChangeSet
from photofleet.stack.events import Event
from photofleet.stack.launch import Launch
from photofleet.stack.parameters import parse_pairs, read_file
from photofleet.stack.preview import describe
from photofleet.stack.status import describe_outputs, describe_status, get_status

POLL_SECONDS = 3.0
INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended, as shells have it."""

_name = click.argument("name", help="The name of the stack.")


class StackCommands(click.Group):
    """Says in words, not with a traceback, what AWS or the operator's input has against it."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (StackError, BotoCoreError, ClientError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=StackCommands)
def stack() -> None:
    """Launch the service on AWS, and look after its stacks.

    Account and region are those of the AWS CLI: AWS_PROFILE and AWS_REGION, or what its configuration says. Every
    command exits with 0 if all went well, with 1 if it was refused or failed, with 130 after Ctrl-C.
    """


@stack.command()
@_name
@click.option(
    "--parameters",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with parameters, such as cloudformation/parameters/test.json.",
)
@click.option("-p", "pairs", multiple=True, metavar="NAME=VALUE", help="A parameter; it goes before the file's.")
@click.option(
    "--template",
    type=click.Choice(("photofleet", "pipeline")),
    default="photofleet",
    show_default=True,
    help="The service itself, or the pipeline that builds, tests and updates it.",
)
@click.option("--bucket", help="An S3 bucket of yours for the templates; otherwise one is made in your account.")
@click.option("--yes", is_flag=True, help="Do not ask before changing anything.")
def launch(name: str, file: Path | None, pairs: Sequence[str], template: str, bucket: str | None, yes: bool) -> None:
    """Create the stack NAME, or bring it up to date.

    Shows what would change and asks, then shows what happens until it is done, and prints the outputs. Parameters that
    are not given keep the value they have, or have the template's default.

    Refused is what would replace or remove a resource that holds photos or jobs, as far as CloudFormation foresees it;
    the stack policy refuses the rest, whatever changes the stack. The stack is protected from being deleted, too.
    """
    parameters = {**(read_file(file) if file else {}), **parse_pairs(pairs)}

    def agree(stack: str, change_set: ChangeSet) -> bool:
        click.echo("\n".join(describe(stack, change_set)))
        return yes or click.confirm(f"Change {stack} so?")

    try:
        outputs = Launch(_clients(), agree, click.echo, _show, POLL_SECONDS).run(name, parameters, template, bucket)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    if outputs is None:
        click.echo("Nothing was changed.")
        raise SystemExit(1)
    click.echo("\n".join(describe_outputs(outputs)))


@stack.command()
@_name
@click.option("--json", "as_json", is_flag=True, help="Print it for programs.")
def status(name: str, as_json: bool) -> None:
    """Show the state of the stack NAME: of each part, its protection, drift, outputs and what last failed.

    Drift, what was changed by hand, is what CloudFormation found when it was last told to look for it.
    """
    found = get_status(_clients(), name)
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(describe_status(found)))


@stack.command()
@_name
def delete(name: str) -> None:
    """Delete the stack NAME, once its name is typed.

    What holds photos and jobs stays behind, and is listed first. A production stack that is protected is never deleted:
    take its protection away by hand first.
    """
    clients = _clients()
    found = deletion.check_may_be_deleted(clients, name)
    resources = deletion.get_resources(clients, name)
    staying = [resource for resource in resources if resource.stays]
    click.echo(f"{len(resources) - len(staying)} resources of {name} would be deleted.")
    if staying:
        click.echo("These stay behind, and are paid for until you delete them:")
        click.echo("\n".join(f"  {resource}" for resource in staying))
    if click.prompt("Type the name of the stack to delete it", default="", show_default=False) != name:
        raise click.ClickException("That is not its name. Nothing was deleted.")
    try:
        deletion.delete(clients, found, resources, _show, POLL_SECONDS)
    except KeyboardInterrupt:
        click.echo(f"\nThe deletion goes on. `photofleet stack status {name}` shows how it goes.")
        raise SystemExit(INTERRUPTED) from None
    click.echo(f"{name} was deleted.")


def _show(event: Event) -> None:
    click.echo(click.style(str(event), fg="red") if event.is_failure else str(event))


def _clients() -> Clients:
    session = Session(region_name=os.environ.get("AWS_REGION") or None)
    config = Config(retries={"mode": "standard", "total_max_attempts": 8})

    @cache
    def client(service: str) -> Any:
        return session.client(service, config=config)

    return client
