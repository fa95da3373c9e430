"""Whether this machine may have a GPU, without torch, which takes seconds to ask."""

from pathlib import Path

from photofleet.settings import LabelSettings

_DEVICES = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
"""What is there where a GPU of NVIDIA's may be, on Linux and on Windows' Linux."""


def may_use_gpu(settings: LabelSettings) -> bool:
    """Whether the settings are for a GPU, or for one where there is one, and there may be."""
    return settings.label_device == "cuda" or (settings.label_device == "auto" and any(map(Path.exists, _DEVICES)))
