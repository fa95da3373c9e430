import numpy as np
import pytest
import torch
from torch import nn

from photofleet.catalog.vector import DIMENSIONS
from workers.label.likeness import Likeness, principal_directions


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def test_along_the_directions_of_a_layer_inputs_are_alike_whose_outputs_are() -> None:
    random = np.random.default_rng(3)
    weight = random.standard_normal((1000, 100)) @ random.standard_normal((100, 1280))
    inputs = random.standard_normal((20, 1280))
    outputs = inputs @ weight.T

    seen = inputs @ principal_directions(weight)

    assert seen.shape == (20, DIMENSIONS)
    for first, second in zip(range(19), range(1, 20), strict=True):
        assert cosine(seen[first], seen[second]) == pytest.approx(cosine(outputs[first], outputs[second]))


def test_directions_are_the_same_on_every_machine() -> None:
    """Else photos that were looked at on different ones would have nothing to say to each other."""
    weight = np.random.RandomState(4).standard_normal((400, 500))

    in_another_order = principal_directions(weight[::-1])  # which other machines may add up in

    np.testing.assert_allclose(in_another_order, principal_directions(weight), rtol=1e-6, atol=1e-6)


def test_photos_are_alike_that_a_network_takes_for_like_things_whatever_else_it_sees() -> None:
    """Two dogs, one of them seen as blurred as the car is."""
    layer = nn.Linear(400, 300)
    with torch.no_grad():
        layer.weight.normal_(generator=torch.Generator().manual_seed(5)).mul_(0.05)
        layer.weight[:2, :20] += 1  # two dogs
        layer.weight[2, 20:40] += 1  # a car
        layer.bias.zero_()
    hound, terrier, car = torch.zeros((3, 400))
    hound[:20], hound[40:] = 1, 0.5
    terrier[:20] = 1
    car[20:40], car[40:] = 1, 0.5
    seen = torch.stack([hound, terrier, car])

    hound, terrier, car = Likeness(layer)(seen, layer(seen)).detach().numpy()

    assert cosine(hound, terrier) > cosine(hound, car) + 0.3
