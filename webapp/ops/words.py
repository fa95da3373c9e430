"""Numbers as the person on call reads them."""

SMALL = 10


def rate(per_minute: float) -> str:
    """A number per minute, with its first decimal where it is small."""
    return f"{per_minute:.1f}" if 0 < per_minute < SMALL else f"{per_minute:,.0f}"
