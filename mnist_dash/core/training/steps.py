"""The updates of an epoch in turn: one by one on the CPU, and on CUDA as replays of one recorded graph.

On a GPU a small network's update is over before the host has asked for its next operation, of which an update has some fifty. A CUDA graph
holds them all; what differs from update to update lies on the device beforehand: the order of the images, and the optimizer's factors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from mnist_dash.core.optimizers.torch_optimizer import TorchOptimizer
from mnist_dash.core.training.update import AutogradUpdate, Measured, Update

Gather = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Image numbers ``(B,)`` int64 -> scaled inputs ``(B, 784)`` float32 and labels ``(B,)`` int64, on the training device."""
N_WARM_UPDATES = 3
"""Updates before recording, in which libraries choose their kernels and take their memory; undone afterwards."""


class Steps(Protocol):
    """Does the updates of one epoch after another."""

    def begin(self, order: Tensor, rates: Sequence[float], *, first: int) -> None:
        """Prepare an epoch.

        Args:
            order: ``(N,)`` int64, the training images in the epoch's order, on the training device.
            rates: the learning rate of each update.
            first: number of the epoch's first update, from 1, as the optimizer counts.
        """

    def step(self, index: int) -> Measured:
        """Do the epoch's update of an index, from 0; in turn."""

    def n_images(self, index: int) -> int:
        """Give the size of an update's batch."""


class EagerSteps:
    """One update after another, each operation when the host asks for it.

    Args:
        update: computes the gradients and changes the parameters.
        gather: reads a batch.
        batch_size: images an update; the last one of an epoch takes what is left.
    """

    def __init__(self, update: Update, gather: Gather, batch_size: int) -> None:
        self._update, self._gather, self._batch_size = update, gather, batch_size

    def begin(self, order: Tensor, rates: Sequence[float], *, first: int) -> None:
        """Prepare an epoch; see `Steps.begin`."""
        self._batches, self._rates, self._first = torch.split(order, self._batch_size), rates, first

    def step(self, index: int) -> Measured:
        """Do one update; see `Steps.step`."""
        inputs, labels = self._gather(self._batches[index])
        return self._update.step(inputs, labels, rate=self._rates[index], t=self._first + index)

    def n_images(self, index: int) -> int:
        """Give the size of an update's batch."""
        return len(self._batches[index])


class RecordedSteps:
    """Updates on CUDA: each whole batch is a replay of one graph, a smaller last one is done by itself.

    Args:
        update: computes the gradients and changes the parameters.
        optimizer: its optimizer.
        gather: reads a batch.
        batch_size: images an update.
        values: every tensor that an update changes: parameters, running statistics, the optimizer's state.
        generators: sources of random numbers within an update.
    """

    def __init__(
        self,
        update: AutogradUpdate,
        optimizer: TorchOptimizer,
        gather: Gather,
        batch_size: int,
        *,
        values: Sequence[Tensor],
        generators: Sequence[torch.Generator],
    ) -> None:
        self._update, self._optimizer, self._gather, self._batch_size = (
            update,
            optimizer,
            gather,
            batch_size,
        )
        self._values, self._generators = values, generators
        self._graph: torch.cuda.CUDAGraph | None = None

    def begin(self, order: Tensor, rates: Sequence[float], *, first: int) -> None:
        """Prepare an epoch, and record the graph before the first one; see `Steps.begin`."""
        n = len(rates)
        factors = torch.tensor(
            [self._optimizer.factors(rate, first + index) for index, rate in enumerate(rates)],
            dtype=torch.float32,
        )
        if self._graph is None:
            device = order.device
            self._order, self._factors = (
                torch.empty_like(order),
                torch.empty(factors.shape, device=device),
            )
            self._index = torch.zeros(1, dtype=torch.int64, device=device)
            self._losses, self._n_right = (
                torch.zeros(n, device=device),
                torch.zeros(n, dtype=torch.int64, device=device),
            )
        self._order.copy_(order)
        self._factors.copy_(factors)
        self._n_whole = len(order) // self._batch_size
        if self._graph is None and self._n_whole:
            self._graph = self._record()
        self._index.zero_()

    def step(self, index: int) -> Measured:
        """Do one update; see `Steps.step`."""
        if index < self._n_whole:
            assert self._graph is not None
            self._graph.replay()
        else:
            self._do(self._order[self._n_whole * self._batch_size :])
        return Measured(self._losses[index], self._n_right[index])

    def n_images(self, index: int) -> int:
        """Give the size of an update's batch."""
        return (
            self._batch_size
            if index < self._n_whole
            else len(self._order) - self._n_whole * self._batch_size
        )

    def _record(self) -> torch.cuda.CUDAGraph:
        """Record the update of a whole batch; the values stay as they are."""
        before = [value.detach().clone() for value in self._values]
        whole = self._order[: self._n_whole * self._batch_size].view(
            self._n_whole, self._batch_size
        )

        def update() -> None:
            self._do(whole.index_select(0, self._index).flatten())

        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(N_WARM_UPDATES):
                self._index.zero_()
                update()
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph):
            update()
        with torch.no_grad():
            for value, kept in zip(self._values, before, strict=True):
                value.copy_(kept)
        return graph

    def _do(self, indices: Tensor) -> None:
        """Do the update that is next with the images of these numbers.

        Numbers are ``(B,)`` int64.
        """
        inputs, labels = self._gather(indices)
        factors = self._factors.index_select(0, self._index).flatten().unbind()
        measured = self._update.apply(inputs, labels, *factors)
        self._losses.index_copy_(0, self._index, measured.loss.view(1))
        self._n_right.index_copy_(0, self._index, measured.n_right.view(1))
        self._index.add_(1)
