"""A network whose gradients are computed by hand on the CPU: what its layers add themselves to.

Everything is computed in one type, float32 or bfloat16; in bfloat16 the values have copies that are refreshed after each update, and the
parameters and the optimizer stay in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

aten = torch.ops.aten


class Operation(Protocol):
    """One piece of the network, with what it must remember between the two directions."""

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output; may overwrite the input of an activation or a dropout.

        ``(B, ...)`` float32 on the CPU; images are ``(B, channels, height, width)``.
        """

    def backward(self, grad: Tensor) -> Tensor:
        """Turn the gradient of the output into that of the input; may overwrite it.

        ``(B, ...)`` float32, of the shapes of the output and of the input.
        """


class Trained:
    """A layer's trained values as they are computed with, and their gradients in float32.

    Args:
        masters: the float32 parameters, which the optimizer changes.
        dtype: what is computed in.
    """

    def __init__(self, masters: Sequence[Tensor], dtype: torch.dtype) -> None:
        self.masters = [value.detach() for value in masters]
        self.copies = [] if dtype == torch.float32 else [value.to(dtype) for value in self.masters]
        self.values = self.copies or self.masters
        self.grads = [torch.empty_like(value) for value in self.masters]
        """Of each value; written by the operation, which may put tensors of its own in place."""


class Piece(NamedTuple):
    """An operation and what decides its place."""

    operation: Operation
    rises: bool
    is_trained: bool


class ByHand:
    """Takes the operations of one layer after another.

    Args:
        parameters: of the network, input side first.
        dtype: what is computed in.
        dropout_generator: the source of dropout's draws.
    """

    def __init__(
        self, parameters: Sequence[Tensor], dtype: torch.dtype, dropout_generator: torch.Generator
    ) -> None:
        self.dtype, self.dropout_generator = dtype, dropout_generator
        self.trained: list[Trained] = []
        self._parameters = iter(parameters)
        self.pieces: list[Piece] = []

    def take(self, n: int) -> Trained:
        """Take the network's next `n` parameters: those that the layer added to it."""
        self.trained.append(Trained([next(self._parameters) for _ in range(n)], self.dtype))
        return self.trained[-1]

    @property
    def is_first(self) -> bool:
        """Whether the values taken last are the network's first, so that nobody asks for the gradient of their input."""
        return len(self.trained) == 1

    def add(
        self,
        operation: Operation,
        *,
        rises: bool = False,
        is_maximum: bool = False,
        is_trained: bool = False,
    ) -> None:
        """Add an operation; a maximum goes before the rising activation in front of it: fewer values to activate.

        Args:
            operation: what is computed.
            rises: whether it works on each value alone and never falls.
            is_maximum: whether it takes the maximum over windows.
            is_trained: whether it computes with trained values.
        """
        is_behind = is_maximum and bool(self.pieces) and self.pieces[-1].rises
        self.pieces.insert(len(self.pieces) - is_behind, Piece(operation, rises, is_trained))

    def add_activation(self, name: str) -> None:
        """Add an activation that has a gradient here: ReLU; a linear one and the softmax of the loss are nothing."""
        if name == "relu":
            self.add(_ReLU(), rises=True)

    @property
    def forwards(self) -> list[Operation]:
        """The operations from the input on."""
        return [piece.operation for piece in self.pieces]

    @property
    def backwards(self) -> list[Operation]:
        """The operations from the output back to the first one with trained values."""
        first = next(index for index, piece in enumerate(self.pieces) if piece.is_trained)
        return self.forwards[first:][::-1]


class _ReLU:
    """``max(x, 0)``, in place both ways."""

    def forward(self, x: Tensor) -> Tensor:
        self._y = x.relu_()
        return self._y

    def backward(self, grad: Tensor) -> Tensor:
        aten.threshold_backward.grad_input(grad, self._y, 0, grad_input=grad)
        return grad
