import numpy as np
import pytest

from photofleet.catalog.vector import DIMENSIONS
from workers.label.embedding import embedding_of, principal_directions


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


@pytest.mark.parametrize("dimensions", [10, 256, 1280, 2048])
def test_an_embedding_has_the_numbers_that_the_catalog_keeps_and_length_one(dimensions: int) -> None:
    numbers = embedding_of(np.random.default_rng(1).random((2, dimensions), np.float32))

    assert numbers is not None
    assert len(numbers) == DIMENSIONS
    assert np.linalg.norm(numbers) == pytest.approx(1)


def test_what_looked_alike_to_the_network_still_does() -> None:
    random = np.random.default_rng(2)
    pairs = [(first := random.standard_normal(1280), first + random.standard_normal(1280)) for _ in range(50)]

    errors = []
    for first, second in pairs:
        ours = [np.array(embedding_of(each[None].astype(np.float32))) for each in (first, second)]
        errors.append(cosine(*ours) - cosine(first, second))

    assert max(map(abs, errors)) < 0.15
    assert abs(np.mean(errors)) < 0.02


def test_along_the_directions_of_a_layer_inputs_are_alike_whose_outputs_are() -> None:
    random = np.random.default_rng(3)
    structure = random.standard_normal((1000, 100)) @ random.standard_normal((100, 1280))
    weight = (structure + 100 * random.standard_normal(1280)).astype(np.float32)
    inputs = random.standard_normal((20, 1280)).astype(np.float32)
    outputs = inputs @ weight.T
    outputs -= outputs.mean(axis=1, keepdims=True)

    seen = inputs @ principal_directions(weight)

    assert seen.shape == (20, DIMENSIONS)
    for first, second in zip(range(19), range(1, 20), strict=True):
        assert cosine(seen[first], seen[second]) == pytest.approx(cosine(outputs[first], outputs[second]), abs=0.01)


def test_directions_are_the_same_on_every_machine() -> None:
    """Else photos that were looked at on different ones would have nothing to say to each other."""
    weight = np.random.RandomState(4).standard_normal((400, 500)).astype(np.float32)

    directions = principal_directions(weight)
    in_another_order = principal_directions(weight[::-1])  # which other machines may add up in

    np.testing.assert_allclose(in_another_order, directions, rtol=0.001, atol=0.001)


def test_it_is_the_same_on_every_machine_and_in_every_version() -> None:
    """Else those that the catalog has would have nothing to say to new ones."""
    numbers = embedding_of(np.arange(1280, dtype=np.float32)[None])

    assert numbers is not None
    assert numbers[:4] == pytest.approx([0.02515, -0.04804, 0.0024, -0.07521], abs=1e-4)


def test_a_network_that_saw_nothing_at_all_says_nothing() -> None:
    assert embedding_of(np.zeros((1, 1280), np.float32)) is None
