"""Text for a terminal."""

from collections.abc import Sequence

_SIZES = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def printable(text: str, most: int = 500) -> str:
    """Text from a stranger on one line and cut, so that it neither forges a line nor commands the terminal."""
    cut = text if len(text) <= most else f"{text[:most]}… ({len(text) - most} more characters)"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)


def duration(seconds: float) -> str:
    """A time in its two largest units: 3 h 20 min."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for name, size in _SIZES:
        count, left = divmod(left, size)
        if count or (name == "s" and not parts):
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def count(number: int, noun: str) -> str:
    """A number of things: 1 photo, 2,000 photos."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows under a heading: names in the first column, to the left, and numbers in the others, to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *numbers in rows:
        cells = [f"{number:>{width}}" for number, width in zip(numbers, widths[1:], strict=True)]
        lines.append("  ".join([f"{name:<{widths[0]}}", *cells]))
    return "\n".join(lines)
