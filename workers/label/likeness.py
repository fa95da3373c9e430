"""What makes photos alike, by a network that ends in a linear layer with an output for each class."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from photofleet.catalog.vector import DIMENSIONS


class Likeness(nn.Module):
    """Embeddings of what such a layer sees, and of what it takes that for, in equal parts.

    What it sees tells a lake from a lake, and also a blurred hound from a sharp one, which nobody minds. What it takes
    photos for is the mean of the classes' weights by their probabilities (Norouzi et al., 2014, arXiv:1312.5650). It is
    near for classes that are alike, hounds and other dogs say. `make bench-labels-quality` prints how many labels the
    photos nearest to each other have in common.
    """

    directions: Tensor
    classes: Tensor

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight = layer.weight.detach().double().numpy()
        differences = weight - weight.mean(axis=0)
        directions = principal_directions(differences)
        self.register_buffer("directions", torch.from_numpy(directions).float())
        self.register_buffer("classes", torch.from_numpy(differences @ directions).float())

    def fits(self, seen: Tensor, logits: Tensor) -> bool:
        """Whether these can be the layer's inputs and outputs: it need not be the network's last after all."""
        return (seen.shape[1:], logits.shape[1:]) == (self.directions.shape[:1], self.classes.shape[:1])

    def forward(self, seen: Tensor, logits: Tensor) -> Tensor:
        """Map the layer's inputs (n, d) and its outputs (n, classes), in 32 bits, to embeddings (n, DIMENSIONS)."""
        taken_for = logits.softmax(dim=1) @ self.classes
        return normalize(seen @ self.directions) + normalize(taken_for)


def principal_directions(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a linear layer makes of its inputs, along its principal axes.

    Of the layer's outputs, inner products along these axes are the best that so few numbers can keep, whatever the
    inputs (Eckart and Young, 1936). Their signs, which are open, are fixed, so that they are the same on every machine.

    Args:
        weight: The layer's, of shape (outputs, inputs), with DIMENSIONS outputs at least.

    Returns:
        A matrix of shape (inputs, DIMENSIONS), to multiply inputs with.
    """
    _, axes = np.linalg.eigh(weight @ weight.T)
    axes = axes[:, : -DIMENSIONS - 1 : -1]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), range(DIMENSIONS)])
    directions: NDArray[np.float64] = weight.T @ axes
    return directions
