import numpy as np
import pytest

from photofleet.catalog.vector import DIMENSIONS
from workers.label.embedding import embedding_of


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


def test_it_is_the_same_on_every_machine_and_in_every_version() -> None:
    """Else those that the catalog has would have nothing to say to new ones."""
    numbers = embedding_of(np.arange(1280, dtype=np.float32)[None])

    assert numbers is not None
    assert numbers[:4] == pytest.approx([0.02515, -0.04804, 0.0024, -0.07521], abs=1e-4)


def test_a_network_that_saw_nothing_at_all_says_nothing() -> None:
    assert embedding_of(np.zeros((1, 1280), np.float32)) is None
