import time

from photofleet.catalog.identifiers import uuid7


def test_ids_are_uuids_of_version_7_and_the_right_variant() -> None:
    for _ in range(100):
        made = uuid7()
        assert (made.version, made.variant) == (7, "specified in RFC 4122")


def test_ids_begin_with_the_time_in_milliseconds_and_so_sort_by_it() -> None:
    before = time.time_ns() // 1_000_000
    first = uuid7()
    time.sleep(0.002)
    second = uuid7()

    assert before <= first.int >> 80 <= time.time_ns() // 1_000_000
    assert first < second


def test_no_two_ids_are_the_same() -> None:
    assert len({uuid7() for _ in range(10_000)}) == 10_000
