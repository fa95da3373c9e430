"""Numbers as the person on call reads them."""

SMALL = 10


def count(number: int, noun: str) -> str:
    """'1 photo', '2,000 photos'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def rate(per_minute: float) -> str:
    """A number per minute, with its first decimal where it is small."""
    return f"{per_minute:.1f}" if 0 < per_minute < SMALL else f"{per_minute:,.0f}"
