"""Who each program is to the embedded AWS: a user with the policies of its tier's role, and no others.

On AWS a program takes its role from the instance that it runs on. Here there is no instance, so a user stands in for
each role, and the embedded AWS enforces the very policies of the templates in every run.
"""

import json
from collections.abc import Mapping
from configparser import ConfigParser
from io import StringIO
from pathlib import Path
from typing import Any

from photofleet.local.secret import private_file
from photofleet.local.stacks import client

OPERATOR = "operator"
ROLES = {
    "web": "WebRoleName",
    "resize": "ResizeRoleName",
    "label": "LabelRoleName",
    OPERATOR: "OperatorRoleName",
}
"""The output of the stack that names the role of each tier, and that of operators."""

_ID, _SECRET = "aws_access_key_id", "aws_secret_access_key"


class Identities:
    """The users, and a credentials file for each, as the AWS's own tools have them, in `folder`."""

    def __init__(self, folder: Path):
        self._folder = folder

    def environment(self, tier: str) -> dict[str, str]:
        """Return the environment that makes a process the tier's user, once `prepare` has been done."""
        return {"AWS_SHARED_CREDENTIALS_FILE": str(self._file(tier))}

    def prepare(self, root: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        """Make the users and their keys where they are missing, and give them the policies that their roles have now.

        `root` is the environment of the account's root user, `outputs` the stack's.
        """
        iam = client(root, "iam")
        users = {user["UserName"]: user for user in iam.list_users()["Users"]}
        for tier, output in ROLES.items():
            user = _user(tier)
            if user not in users:
                iam.create_user(UserName=user)
            _take_policies(iam, user, outputs[output])
            self._make_key(iam, tier)

    def _file(self, tier: str) -> Path:
        return self._folder / f"{tier}.ini"

    def _make_key(self, iam: Any, tier: str) -> None:
        kept = ConfigParser()
        kept.read(self._file(tier), encoding="utf-8")
        keys = iam.list_access_keys(UserName=_user(tier))["AccessKeyMetadata"]
        if kept.has_section("default") and kept["default"].get(_ID) in [key["AccessKeyId"] for key in keys]:
            return
        for key in keys:  # whose secret is lost
            iam.delete_access_key(UserName=_user(tier), AccessKeyId=key["AccessKeyId"])
        made = iam.create_access_key(UserName=_user(tier))["AccessKey"]
        kept.read_dict({"default": {_ID: made["AccessKeyId"], _SECRET: made["SecretAccessKey"]}})
        text = StringIO()
        kept.write(text)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with private_file(self._file(tier)) as file:
            file.write(text.getvalue().encode())


def _user(tier: str) -> str:
    return f"photofleet-{tier}"


def _take_policies(iam: Any, user: str, role: str) -> None:
    """Give a user the policies that a role has, managed and inline, and take others away."""
    wanted = {policy["PolicyArn"] for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]}
    has = {policy["PolicyArn"] for policy in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]}
    for arn in has - wanted:
        iam.detach_user_policy(UserName=user, PolicyArn=arn)
    for arn in wanted - has:
        iam.attach_user_policy(UserName=user, PolicyArn=arn)
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    for name in set(iam.list_user_policies(UserName=user)["PolicyNames"]) - set(names):
        iam.delete_user_policy(UserName=user, PolicyName=name)
    for name in names:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        iam.put_user_policy(UserName=user, PolicyName=name, PolicyDocument=json.dumps(document))
