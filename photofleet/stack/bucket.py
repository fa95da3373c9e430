"""The S3 bucket that templates are uploaded to, from which CloudFormation reads them."""

import json
from typing import Any

from botocore.exceptions import ClientError

from photofleet.stack import Clients, StackError


def templates_bucket(clients: Clients) -> str:
    """Return the name of this account's and region's bucket for templates, which is made at the first use.

    It is private, encrypted and reached over TLS only. It has no versions, as what lies under a key never changes: keys
    are made of the content. Its name can be foreseen, so a stranger could have made it first, to give CloudFormation
    other templates than those uploaded; every request says whose it must be.

    Raises:
        StackError: the bucket belongs to another account.
    """
    s3, owner = clients("s3"), account(clients)
    bucket = f"photofleet-templates-{owner}-{s3.meta.region_name}"
    try:
        # It is set last, so where there is one, the rest is as it should be.
        s3.get_bucket_policy(Bucket=bucket, ExpectedBucketOwner=owner)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchBucket":
            _create(s3, bucket)
        elif code == "AccessDenied":
            raise not_usable(bucket) from error
        elif code != "NoSuchBucketPolicy":
            raise
        _protect(s3, bucket, owner)
    return bucket


def account(clients: Clients) -> str:
    """Return the id of the account that is worked in."""
    found: str = clients("sts").get_caller_identity()["Account"]
    return found


def not_usable(bucket: str) -> StackError:
    """Return the error that says why a bucket cannot be used."""
    return StackError(
        f"The bucket {bucket} cannot be used: it is another account's, or you may not read and write it. Name a bucket "
        "of your own with --bucket."
    )


def _create(s3: Any, bucket: str) -> None:
    region = s3.meta.region_name
    # The one region that must not be named is the one that is meant where none is.
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, ObjectOwnership="BucketOwnerEnforced", **place)


def _protect(s3: Any, bucket: str, owner: str) -> None:
    whose = {"Bucket": bucket, "ExpectedBucketOwner": owner}
    closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(**whose, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))
    encryption = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(**whose, ServerSideEncryptionConfiguration={"Rules": [encryption]})
    partition = s3.meta.partition
    arn = f"arn:{partition}:s3:::{bucket}"
    refuse_unencrypted = {
        "Sid": "RefuseUnencryptedConnections",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [refuse_unencrypted]}
    s3.put_bucket_policy(**whose, Policy=json.dumps(policy))
