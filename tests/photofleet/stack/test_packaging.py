import json
from pathlib import Path
from typing import Any

import pytest

from photofleet.stack import Clients, StackError
from photofleet.stack.bucket import templates_bucket
from photofleet.stack.packaging import MOST_BYTES, templates, upload
from tests.photofleet.stack.conftest import edit, on, refusing


@pytest.fixture
def bucket(clients: Clients) -> str:
    return templates_bucket(clients)


def _read(s3: Any, bucket: str, address: str) -> str:
    key = address.partition(f"/{bucket}/")[2]
    text: str = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    return text


def _keys(s3: Any, bucket: str) -> set[str]:
    return {item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}


def test_nested_templates_are_found_at_their_new_addresses_and_comments_survive(
    clients: Clients, bucket: str, folder: Path
) -> None:
    s3 = clients("s3")
    root = _read(s3, bucket, upload(clients, bucket, folder, "photofleet.yaml"))
    assert "./" not in root
    assert "# This comment is for who reads the template in the console." in root
    addresses = [line.split()[-1] for line in root.splitlines() if "TemplateURL" in line]
    assert [_read(s3, bucket, address) for address in addresses] == [
        (folder / name).read_text(encoding="utf-8") for name in ("state.yaml", "work.yaml")
    ]
    assert all(address.startswith(f"https://s3.us-east-1.amazonaws.com/{bucket}/") for address in addresses)


def test_only_what_changed_gets_another_address(clients: Clients, bucket: str, folder: Path) -> None:
    s3 = clients("s3")
    upload(clients, bucket, folder, "photofleet.yaml")
    before = _keys(s3, bucket)
    upload(clients, bucket, folder, "photofleet.yaml")
    assert _keys(s3, bucket) == before
    edit(folder / "work.yaml", "comes and goes", "nobody else describes so")
    upload(clients, bucket, folder, "photofleet.yaml")
    assert sorted(key.split("/")[1] for key in _keys(s3, bucket) - before) == ["photofleet.yaml", "work.yaml"]


def test_what_somebody_else_put_in_a_templates_place_is_put_right(clients: Clients, bucket: str, folder: Path) -> None:
    s3 = clients("s3")
    address = upload(clients, bucket, folder, "state.yaml")
    s3.put_object(Bucket=bucket, Key=address.partition(f"/{bucket}/")[2], Body=b"Resources: {}")
    assert upload(clients, bucket, folder, "state.yaml") == address
    assert _read(s3, bucket, address) == (folder / "state.yaml").read_text(encoding="utf-8")


def test_every_template_of_ours_can_be_uploaded(clients: Clients, bucket: str) -> None:
    for name in ("photofleet.yaml", "pipeline.yaml"):
        assert upload(clients, bucket, templates(), name).endswith(f"/{name}")


def test_a_template_that_is_not_there_is_named(clients: Clients, bucket: str, folder: Path) -> None:
    (folder / "work.yaml").unlink()
    with pytest.raises(StackError, match=r"There is no template work\.yaml"):
        upload(clients, bucket, folder, "photofleet.yaml")


def test_a_template_that_cloudformation_would_not_take_is_refused(clients: Clients, bucket: str, folder: Path) -> None:
    (folder / "state.yaml").write_text("#" * (MOST_BYTES + 1), encoding="utf-8")
    with pytest.raises(StackError, match=r"state\.yaml is larger"):
        upload(clients, bucket, folder, "photofleet.yaml")


def test_every_request_says_whose_the_bucket_must_be(clients: Clients, folder: Path) -> None:
    owners: dict[str, str | None] = {}

    def note(params: dict[str, Any], model: Any, **_about: Any) -> None:
        owners[model.name] = params.get("ExpectedBucketOwner")

    on(clients("s3"), "provide-client-params.s3", note)
    bucket = templates_bucket(clients)
    edit(folder / "work.yaml", "comes and goes", "was never uploaded before")
    upload(clients, bucket, folder, "photofleet.yaml")
    owners.pop("CreateBucket", None)
    assert owners.keys() >= {"GetObject", "PutObject"}
    assert set(owners.values()) == {"000000000000"}


def test_a_bucket_of_another_account_is_named(clients: Clients, bucket: str, folder: Path) -> None:
    on(clients("s3"), "before-call.s3.GetObject", refusing("GetObject"))
    with pytest.raises(StackError, match=f"The bucket {bucket} cannot be used: it is another account's"):
        upload(clients, bucket, folder, "photofleet.yaml")


def test_the_bucket_is_private_encrypted_and_reached_over_tls_only(clients: Clients, bucket: str) -> None:
    s3 = clients("s3")
    assert bucket == "photofleet-templates-000000000000-us-east-1"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_a_bucket_whose_making_was_cut_off_is_made_to_its_end(clients: Clients, bucket: str) -> None:
    s3 = clients("s3")
    s3.delete_bucket_policy(Bucket=bucket)
    s3.delete_public_access_block(Bucket=bucket)
    assert templates_bucket(clients) == bucket
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
