"""Words as people type them: in any case, with any blanks, one of a thing or many of it."""

import unicodedata

_ENDINGS = (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("es", ""), ("s", ""))
"""Of plurals, and of the singulars that these may have: "ponies", "wolves", "knives", "boxes", "dogs"."""

_IRREGULAR = {
    "children": "child",
    "feet": "foot",
    "geese": "goose",
    "men": "man",
    "mice": "mouse",
    "oxen": "ox",
    "teeth": "tooth",
    "women": "woman",
}


def normal(words: str) -> str:
    """Words in the form in which labels' terms are kept: in lower case, with single blanks between them.

    What a database cannot be asked for is left out: NUL, and halves of characters, which JSON can hold.
    """
    words = words.replace("\0", "").encode(errors="ignore").decode()
    return " ".join(unicodedata.normalize("NFKC", words).lower().split())


def forms(words: str) -> set[str]:
    """The words in their normal form, and all that could be their singular: "dogs" is asked as often as "dog".

    Of several words the last is taken for the plural ("golden retrievers"). A form need not be a word.
    """
    plain = normal(words)
    *first, last = plain.split(" ")
    singulars = {last.removesuffix(ending) + singular for ending, singular in _ENDINGS if last.endswith(ending)}
    singulars.add(_IRREGULAR.get(last, ""))
    return {plain} | {" ".join((*first, singular)) for singular in singulars - {""}}
