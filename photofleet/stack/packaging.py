"""Uploading a template, and those that it nests, to where CloudFormation reads them."""

import re
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from botocore.exceptions import ClientError

from photofleet.stack import Clients, StackError
from photofleet.stack.bucket import account, not_usable

# As text, so that the comments survive: what CloudFormation keeps of a template is what people read in its console.
_NESTED = re.compile(r"^( +TemplateURL: )\./([\w.-]+)$", re.MULTILINE)
MOST_BYTES = 1_000_000


def templates() -> Traversable:
    """Return the folder of the templates that this version of Photofleet brings."""
    return files("cloudformation")


def upload(clients: Clients, bucket: str, folder: Traversable, name: str) -> str:
    """Upload the template `name` of a folder, and first those that it nests; return its address.

    The address contains a hash of the content, so nothing is uploaded twice or changed afterwards, and CloudFormation
    sees by their addresses which nested stacks changed.

    Raises:
        StackError: there is no such template, it is too large, or the bucket is another account's.
        ClientError: S3 refuses it.
    """
    s3 = clients("s3")
    whose = {"Bucket": bucket, "ExpectedBucketOwner": account(clients)}
    addresses: dict[str, str] = {}

    def address_of(name: str) -> str:
        if name not in addresses:
            file = folder / name
            if not file.is_file():
                raise StackError(f"There is no template {name} in {folder}.")
            text = file.read_text(encoding="utf-8")
            text = _NESTED.sub(lambda found: found[1] + address_of(found[2]), text)
            addresses[name] = _put(s3, whose, name, text.encode())
        return addresses[name]

    try:
        return address_of(name)
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDenied":
            raise not_usable(bucket) from error
        raise


def _put(s3: Any, whose: Mapping[str, str], name: str, body: bytes) -> str:
    if len(body) > MOST_BYTES:
        raise StackError(f"The template {name} is larger than CloudFormation takes: {len(body)} bytes.")
    key = f"{sha256(body).hexdigest()[:32]}/{name}"
    # Compared, not only looked for: whoever may write to the bucket could have put something else there.
    if _get(s3, whose, key) != body:
        s3.put_object(**whose, Key=key, Body=body, ContentType="application/yaml")
    return f"https://s3.{s3.meta.region_name}.{_dns_suffix(s3)}/{whose['Bucket']}/{key}"


def _get(s3: Any, whose: Mapping[str, str], key: str) -> bytes | None:
    try:
        body: bytes = s3.get_object(**whose, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    return body


def _dns_suffix(s3: Any) -> str:
    return "amazonaws.com.cn" if s3.meta.partition == "aws-cn" else "amazonaws.com"
