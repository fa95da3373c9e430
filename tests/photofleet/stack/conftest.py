"""A service of two small nested stacks, and launches of it on the embedded AWS."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.stack import Clients, deletion
from photofleet.stack.launch import Launch

ROOT = """\
AWSTemplateFormatVersion: "2010-09-09"
Description: Photofleet, but small.
Parameters:
  Environment:
    Type: String
    AllowedValues: [test, production]
  Timeout:
    Type: Number
    Default: 30
Resources:
  StateStack:
    Type: AWS::CloudFormation::Stack
    Properties:
      # This comment is for who reads the template in the console.
      TemplateURL: ./state.yaml
  WorkStack:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: ./work.yaml
      Parameters:
        Timeout: !Ref Timeout
        Photos: !GetAtt StateStack.Outputs.Photos
Outputs:
  Photos:
    Value: !GetAtt StateStack.Outputs.Photos
  Work:
    Value: !GetAtt WorkStack.Outputs.Work
"""
STATE = """\
Description: What must not be lost.
Resources:
  Photos:
    Type: AWS::SQS::Queue
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
  Topic:
    Type: AWS::SNS::Topic
Outputs:
  Photos:
    Value: !Ref Photos
"""
WORK = """\
Description: What comes and goes.
Parameters:
  Timeout:
    Type: Number
  Photos:
    Type: String
Resources:
  Tagged:
    Type: AWS::SQS::Queue
    Properties:
      Tags:
        - Key: photos
          Value: !Ref Photos
  Work:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: !Ref Timeout
Outputs:
  Work:
    Value: !Ref Work
"""
TEST = {"Environment": "test"}
TOO_LONG = "1000000"
"""A visibility timeout that only SQS knows to be too long, so that it fails when the stack is changed."""

_numbers = count(1)

Run = Callable[..., dict[str, str] | None]


@pytest.fixture
def cloudformation(clients: Clients) -> Any:
    return clients("cloudformation")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the small service's templates, in the place of Photofleet's."""
    for name, text in (("photofleet", ROOT), ("state", STATE), ("work", WORK)):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr("photofleet.stack.launch.templates", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def launch(clients: Clients, folder: Path) -> Run:
    """A function that launches the small service, or what has become of its templates."""

    def run(name: str, parameters: dict[str, str] | None = None, **how: Any) -> dict[str, str] | None:
        return Launch(clients, poll_seconds=0.05, **how).run(name, TEST if parameters is None else parameters)

    return run


@pytest.fixture
def name(aws: EmbeddedAWS) -> Iterator[str]:
    """A name for a stack, which is deleted after the test, production or not."""
    name = f"small-{next(_numbers)}"
    yield name
    clients = stacks.clients_of(aws.client_environment())  # not those that the test may have meddled with
    cloudformation = clients("cloudformation")
    stack = next((one for one in cloudformation.describe_stacks()["Stacks"] if one["StackName"] == name), None)
    if stack:
        cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        deletion.delete(clients, stack, deletion.get_resources(clients, name), lambda _event: None, 0.05)


def on(client: Any, event: str, action: Callable[..., Any]) -> None:
    """Have a client call `action` at an event of boto3, such as after-call.cloudformation.DescribeStacks."""
    client.meta.events.register(event, lambda **about: action(**about))


def refusing(operation: str) -> Callable[..., None]:
    """Return what refuses a request for lack of permission, to be done before it is sent."""

    def refuse(**_about: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, operation)

    return refuse


def edit(file: Path, old: str, new: str) -> None:
    """Change a template."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
