from datetime import UTC, datetime

import pytest

from photofleet.catalog.search.language import (
    MOST_CLAUSES,
    Before,
    Clause,
    Mine,
    Orientation,
    Place,
    Since,
    Sure,
    Type,
    Words,
    parse,
)


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", ()),
        ("dog", (Words("dog", Place(0, 3), joins=True),)),
        ("-cat", (Words("cat", Place(0, 4), negated=True),)),
        ('a "b c"', (Words("a", Place(0, 1), joins=True), Words("b c", Place(2, 7)))),
        ('-"b c"', (Words("b c", Place(0, 6), negated=True),)),
        ("label:dog", (Words("dog", Place(0, 9), label_only=True),)),
        ('LABEL:"polar bear"', (Words("polar bear", Place(0, 18), label_only=True),)),
        ("min:80 min:5%", (Sure(0.8), Sure(0.05))),
        ("by:me", (Mine(),)),
        ("-by:ME", (Mine(negated=True),)),
        ("orientation:Portrait", (Orientation("portrait"),)),
        ("-type:JPG", (Type("jpeg", negated=True),)),
        ("from:2026-05-31", (Since(datetime(2026, 5, 31, tzinfo=UTC)),)),
        ("to:2026-05-31", (Before(datetime(2026, 6, 1, tzinfo=UTC)),)),
        ("to:2026-12", (Before(datetime(2027, 1, 1, tzinfo=UTC)),)),
        ("from:2026 to:2026", (Since(datetime(2026, 1, 1, tzinfo=UTC)), Before(datetime(2027, 1, 1, tzinfo=UTC)))),
        ("12:30", (Words("12:30", Place(0, 5), joins=True),)),
        ("t-shirt", (Words("t-shirt", Place(0, 7), joins=True),)),
    ],
)
def test_a_query_is_read_as_what_it_says(text: str, clauses: tuple[Clause, ...]) -> None:
    query = parse(text)

    assert query.clauses == clauses
    assert query.mistakes == ()


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("dog colour:red", Place(4, 14), "There is no “colour:”"),
        ('dog "polar bear', Place(4, 15), "quotation mark"),
        ('dog ""', Place(4, 6), "nothing between"),
        ("label:", Place(0, 6), "Nothing stands after"),
        ("min:101", Place(0, 7), "0 to 100"),
        ("min:much", Place(0, 8), "0 to 100"),
        ("min:²", Place(0, 5), "0 to 100"),
        ("-min:80", Place(0, 7), "leave the minus out"),
        ("type:gif dog -type:gif", Place(0, 22), "remove one"),
        ("by:me -by:me", Place(0, 12), "remove one"),
        ("from:yesterday", Place(0, 14), "2026-05-01"),
        ("from:2026-02-30", Place(0, 15), "2026-05-01"),
        ("to:9999", Place(0, 7), "2026-05-01"),
        ("from:0000", Place(0, 9), "2026-05-01"),
        ("by:ada", Place(0, 6), "by:me"),
        ("orientation:round", Place(0, 17), "landscape, portrait or square"),
        ("type:exe", Place(0, 8), "png"),
        ("from:2027 to:2026", Place(0, 17), "swap"),
        ("a " * (MOST_CLAUSES + 1), Place(2 * MOST_CLAUSES, 2 * MOST_CLAUSES + 2), "at most"),
    ],
)
def test_a_mistake_is_told_with_where_it_stands_and_what_to_do(text: str, place: Place, says: str) -> None:
    (mistake,) = parse(text).mistakes

    assert mistake.place == place
    assert says in mistake.message


def test_what_is_right_beside_a_mistake_is_understood() -> None:
    query = parse('dog colour:red type:png "')

    assert [type(clause) for clause in query.clauses] == [Words, Type]
    assert len(query.mistakes) == 2
