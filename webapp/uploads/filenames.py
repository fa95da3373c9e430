"""Names that uploaders gave their files: shown, never used as a path or key."""

import unicodedata

LONGEST = 255
_NOT_SHOWN = {"Cc", "Cs", "Zl", "Zp"}
_BIDI_CONTROLS = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def display_name(filename: str | None) -> str:
    """The last part of a path, without what would break a line or reverse its reading, and not too long."""
    last = (filename or "").replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(c for c in last if unicodedata.category(c) not in _NOT_SHOWN and c not in _BIDI_CONTROLS)
    return " ".join(shown.split())[:LONGEST] or "untitled"
