"""The cloud that instances boot in: the embedded AWS with the real stack, a PostgreSQL that speaks TLS, and a metadata
service, on a network namespace with no way out.
"""

import base64
import json
import signal
import ssl
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from photofleet.local import stacks
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.postgres import EmbeddedPostgres
from tests.ami.image.metadata import MetadataService
from tests.ami.image.namespaces import GATEWAY, addressing, inside, network
from tests.conftest import running
from tests.tls_front import tls_front

AWS_PORT = 4566
DATABASE_PORT = 5432
"""Where the stack says that a database is."""


TIERS = ("web", "resize", "label")

NOT_UNDERSTOOD = {
    "Version": "2012-10-17",
    "Statement": [
        # The embedded AWS knows no namespace of metrics, and names log groups otherwise than policies have to; and the
        # stack that waits for a signal here is not the web tier's.
        {
            "Effect": "Allow",
            "Action": [
                "cloudwatch:PutMetricData",
                "logs:CreateLogStream",
                "logs:PutLogEvents",
                "cloudformation:SignalResource",
            ],
            "Resource": "*",
        }
    ],
}
"""What instances may do on AWS by their templates, and would be refused here."""


class NetworkAWS(EmbeddedAWS):
    """The embedded AWS, served to a whole network: one without a way out."""

    @property
    def endpoint(self) -> str:
        """The address of every AWS service."""
        return f"http://{GATEWAY}:{self.port}"

    def server_environment(self) -> dict[str, str]:
        """Return the environment of `command`."""
        return super().server_environment() | {"BIND_HOST": GATEWAY, "MINISTACK_HOST": GATEWAY}


@dataclass(frozen=True)
class Cloud:
    """What instances find."""

    network: str
    aws: EmbeddedAWS
    authority: bytes
    """The certificate of who signed the database's, as PEM."""
    metadata: MetadataService = field(default_factory=MetadataService)

    def client(self, service: str) -> Any:
        """Return a client of the account's root user."""
        return stacks.client(self.aws.client_environment(), service)

    def keys(self, tier: str) -> tuple[str, str]:
        """Return the id and the secret of the key that has the permissions of a tier's role."""
        kept = ConfigParser()
        kept.read(self.aws.identities.environment(tier)["AWS_SHARED_CREDENTIALS_FILE"], encoding="utf-8")
        default = kept["default"]
        return default["aws_access_key_id"], default["aws_secret_access_key"]

    def user_data(self, tier: str) -> str:
        """Return what the stack's launch template gives to the instances of a tier."""
        ec2 = self.client("ec2")
        for template in ec2.describe_launch_templates()["LaunchTemplates"]:
            versions = ec2.describe_launch_template_versions(
                LaunchTemplateId=template["LaunchTemplateId"], Versions=["$Latest"]
            )["LaunchTemplateVersions"]
            text = base64.b64decode(versions[0]["LaunchTemplateData"]["UserData"]).decode()
            if f"ROLE={tier}\n" in text:
                return text
        raise LookupError(f"no launch template is for {tier}")

    def log_lines(self, group: str, stream: str) -> list[str]:
        """Return the messages of a log stream."""
        events = self.client("logs").get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
        return [event["message"] for event in events["events"]]

    @contextmanager
    def waiting_for_a_signal(self, name: str) -> Iterator[None]:
        """Have a stack wait for one signal to its resource Group, as a web tier does that is made."""
        cloudformation = self.client("cloudformation")
        group = {
            "Type": "AWS::CloudFormation::WaitCondition",
            "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT5M"}},
        }
        template = json.dumps({"Resources": {"Group": group}})
        cloudformation.create_stack(StackName=name, TemplateBody=template, OnFailure="DO_NOTHING")
        yield
        cloudformation.delete_stack(StackName=name)

    def events(self, stack: str) -> list[str]:
        """Return the events of a stack, each as its status and its reason."""
        events = self.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
        return [f"{event['ResourceStatus']}: {event.get('ResourceStatusReason', '')}" for event in events]

    def stack_status(self, stack: str) -> str:
        """Return what state a stack is in."""
        found: str = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        return found


@contextmanager
def cloud(name: str, folder: Path) -> Iterator[Cloud]:
    """Run a cloud, on a network of that name that this thread is put on, with its state in a folder."""
    authority = trustme.CA()
    postgres = EmbeddedPostgres(folder / "postgres", DATABASE_PORT)
    postgres.initialise()
    with network(name), inside(name):
        aws = NetworkAWS(folder / "aws", AWS_PORT)
        aws.folder.mkdir()
        found = Cloud(name, aws, authority.cert_pem.bytes())
        with (
            running(aws.command, aws.answers, aws.server_environment()),
            running((*postgres.command, "-c", "fsync=off"), postgres.answers, stop_signal=signal.SIGINT),
            tls_front(_server_context(authority), GATEWAY, DATABASE_PORT, ("127.0.0.1", DATABASE_PORT)),
            running(addressing(name), lambda: True),
            found.metadata.running(),
        ):
            root = aws.client_environment()
            outputs = stacks.launch(root, postgres.url.replace("127.0.0.1", GATEWAY))
            aws.identities.prepare(root, outputs)
            for tier in TIERS:
                found.client("iam").put_user_policy(
                    UserName=f"photofleet-{tier}", PolicyName="Tests", PolicyDocument=json.dumps(NOT_UNDERSTOOD)
                )
            yield found


def _server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(GATEWAY).configure_cert(context)
    return context
