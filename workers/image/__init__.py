"""Decoding of uploaded pictures, safe against whatever a file may do, for every fleet that looks at pixels."""

from workers.image.decoding import decode, flatten
from workers.image.opening import BadImage

__all__ = ["BadImage", "decode", "flatten"]
