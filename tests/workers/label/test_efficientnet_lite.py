import pytest
import torch
from torch import Tensor

from workers.label.efficientnet_lite import EfficientNetLite2, SamePaddingConv2d, build_network


@pytest.fixture
def weights() -> dict[str, Tensor]:
    """Weights with statistics of their own in every normalisation, under names of other code."""
    torch.manual_seed(0)
    tensors = EfficientNetLite2().state_dict()
    for name, tensor in tensors.items():
        if "running" in name:
            tensor.uniform_(0.5, 1.5)
    return {f"_theirs.{index}": tensor for index, tensor in enumerate(tensors.values())}


def test_it_has_the_published_number_of_weights() -> None:
    assert sum(parameter.numel() for parameter in EfficientNetLite2().parameters()) == 6_092_072


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(6, 2, (0, 1)), (5, 2, (1, 1)), (6, 1, (1, 1)), (1, 2, (1, 1))]
)
def test_an_odd_pixel_of_padding_goes_right_and_to_the_bottom(size: int, stride: int, padding: tuple[int, int]) -> None:
    convolution = SamePaddingConv2d(1, 1, kernel=3, stride=stride, groups=1)
    image = torch.rand(1, 1, size, size)
    padded = torch.nn.functional.pad(image, padding * 2)

    torch.testing.assert_close(
        convolution(image), torch.nn.functional.conv2d(padded, convolution.weight, stride=stride)
    )


def test_folding_the_normalisations_changes_no_score(weights: dict[str, Tensor]) -> None:
    plain = EfficientNetLite2().eval()
    plain.load_state_dict(dict(zip(plain.state_dict(), weights.values(), strict=True)))
    images = torch.rand(1, 3, 64, 64)

    folded = build_network(weights)

    assert not [module for module in folded.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    with torch.inference_mode():
        torch.testing.assert_close(folded(images), plain(images), rtol=1e-3, atol=1e-4)


def test_weights_of_another_number_are_refused(weights: dict[str, Tensor]) -> None:
    del weights["_theirs.0"]

    with pytest.raises(ValueError, match="it has 385 tensors, where EfficientNet-Lite2 has 386"):
        build_network(weights)


def test_weights_of_another_shape_are_refused(weights: dict[str, Tensor]) -> None:
    weights["_theirs.6"] = torch.zeros(7, 1, 3, 3)

    with pytest.raises(ValueError, match=r"its _theirs.6 is of shape \(7, 1, 3, 3\), .* is of shape \(32, 1, 3, 3\)"):
        build_network(weights)
