from collections.abc import Callable, Iterator

import pytest

from photofleet.metadata import Metadata, MetadataError
from tests.metadata_service import INSTANCE_ID, SPOT, MetadataService


@pytest.fixture
def metadata_service() -> Iterator[MetadataService]:
    """The metadata service of an instance."""
    with MetadataService().running() as service:
        yield service


@pytest.fixture
def metadata(metadata_service: MetadataService) -> Metadata:
    return Metadata(metadata_service.address)


def test_a_value_is_read_with_one_token_for_many_questions(
    metadata: Metadata, metadata_service: MetadataService
) -> None:
    assert [metadata.get("instance-id") for _ in range(3)] == [INSTANCE_ID] * 3
    assert metadata_service.granted == 1


def test_what_is_not_there_is_none(metadata: Metadata) -> None:
    assert metadata.get(SPOT) is None


def test_a_token_that_is_refused_is_renewed(metadata: Metadata, metadata_service: MetadataService) -> None:
    metadata.get("instance-id")
    metadata_service.tokens.clear()

    assert metadata.get("instance-id") == INSTANCE_ID
    assert metadata_service.granted == 2


@pytest.mark.parametrize("status", [301, 400, 401, 403, 500, 503])
def test_any_other_status_is_an_error_that_names_it(
    metadata: Metadata, metadata_service: MetadataService, status: int
) -> None:
    metadata.get("instance-id")
    metadata_service.status = status

    with pytest.raises(MetadataError, match=str(status)):
        metadata.get("instance-id")


@pytest.mark.parametrize("token", ["", "two words", "one\r\nX-Forged: header", "ü" * 5000])
def test_a_token_that_is_none_is_an_error(metadata: Metadata, metadata_service: MetadataService, token: str) -> None:
    metadata_service.token = token

    with pytest.raises(MetadataError, match="what is no token"):
        metadata.get("instance-id")


def test_a_service_that_hangs_is_an_error_and_then_answers_again(
    metadata: Metadata, metadata_service: MetadataService
) -> None:
    metadata_service.works.clear()
    with pytest.raises(MetadataError, match="does not answer"):
        metadata.get("instance-id")

    metadata_service.works.set()
    assert metadata.get("instance-id") == INSTANCE_ID


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}", "http://[::bad", "http://" + "x" * 300])
def test_an_address_where_nobody_answers_is_an_error(unused_port: Callable[[], int], address: str) -> None:
    with pytest.raises(MetadataError, match="does not answer"):
        Metadata(address.format(port=unused_port())).get("instance-id")


def test_only_as_much_is_read_as_an_answer_may_be_long(metadata: Metadata, metadata_service: MetadataService) -> None:
    metadata_service.values["endless"] = "x" * 10_000_000

    assert metadata.get("endless") == "x" * 1024


def test_a_proxy_is_never_asked(
    metadata: Metadata,
    metadata_service: MetadataService,
    unused_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")

    assert Metadata(metadata_service.address).get("instance-id") == INSTANCE_ID
