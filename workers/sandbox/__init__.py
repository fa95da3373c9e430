"""Work on the files of strangers, done in processes that hold nothing worth stealing and can do nothing but answer."""

from workers.sandbox.answers import DecoderError, SandboxError
from workers.sandbox.sandbox import Sandbox

__all__ = ["DecoderError", "Sandbox", "SandboxError"]
