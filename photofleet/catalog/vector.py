"""A column for what a network saw in a photo: pgvector's halfvec, two bytes a number."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.types import UserDefinedType

DIMENSIONS = 256
"""Of every network's embedding, which is projected to so many numbers: 512 bytes a photo, whatever the network."""


class HalfVector(UserDefinedType[Sequence[float]]):
    """DIMENSIONS numbers of half precision, which can be compared and indexed by their angle (`<=>`)."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return what CREATE TABLE says of the column."""
        return f"halfvec({DIMENSIONS})"

    def bind_processor(self, dialect: Dialect) -> Callable[[Sequence[float] | None], str | None]:
        """Return what makes a parameter of numbers."""
        return lambda value: None if value is None else f"[{','.join(map(str, value))}]"

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], list[float] | None]:
        """Return what makes numbers of a column."""
        return lambda value: None if value is None else [float(number) for number in value[1:-1].split(",")]
