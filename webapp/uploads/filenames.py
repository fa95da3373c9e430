"""Names that uploaders gave their files: shown, never used as a path or key."""

import unicodedata

LONGEST = 255
# In multipart forms (WHATWG HTML, "multipart/form-data encoding algorithm"); nothing else is escaped there.
_ESCAPED_BY_BROWSERS = {"%22": '"', "%0D": "\r", "%0A": "\n"}
_NOT_SHOWN = {"Cc", "Cs", "Zl", "Zp"}
_BIDI_CONTROLS = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def display_name(filename: str | None) -> str:
    """The last part of a path, without what would break a line or reverse its reading, and not too long."""
    name = filename or ""
    for escaped, character in _ESCAPED_BY_BROWSERS.items():
        name = name.replace(escaped, character)
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(c for c in last if unicodedata.category(c) not in _NOT_SHOWN and c not in _BIDI_CONTROLS)
    return " ".join(shown.split())[:LONGEST] or "untitled"
