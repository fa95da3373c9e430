import pytest

from photofleet.operations.text import duration, printable, table


def test_what_a_stranger_sent_stays_on_its_line_and_does_not_command_the_terminal() -> None:
    assert printable("a\nb\x1b[31m\u202e\x00") == "a\\nb\\x1b[31m\\u202e\\x00"
    assert printable("Ägypten 🐱") == "Ägypten 🐱"


def test_a_long_text_is_cut_and_says_so() -> None:
    assert printable("x" * 12, most=10) == "xxxxxxxxxx… (2 more characters)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3600 * 3 + 61, "3 h 1 min"),
        (86400 * 2 + 5, "2 d 5 s"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_numbers_of_a_table_stand_under_each_other() -> None:
    assert table([("Queue", "N"), ("resize", "12")]) == "Queue    N\nresize  12"
