"""One optimizer update: a batch in, loss and right answers out, parameters changed in place."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.network.torch_network import Network
from mnist_dash.core.optimizers.torch_optimizer import Factor, TorchOptimizer


class Measured(NamedTuple):
    """What a batch gave, as tensors of no axes on the device, so that nobody waits for them."""

    loss: Tensor
    """Mean cross-entropy with the run's label smoothing, plus the L2 penalty, before the update."""
    n_right: Tensor


class Update(Protocol):
    """Does the updates of one run."""

    def step(self, images: Tensor, labels: Tensor, *, rate: float, t: int) -> Measured:
        """Do one update.

        Args:
            images: ``(B, 784)`` float32, scaled.
            labels: ``(B,)`` int64.
            rate: the learning rate.
            t: number of this update, from 1.
        """


class AutogradUpdate:
    """Gradients by torch's autograd: every network, every device."""

    def __init__(
        self, config: RunConfig, network: Network, optimizer: TorchOptimizer, *, precision: str
    ) -> None:
        self._network, self._optimizer = network, optimizer
        self._precision = precision
        self._smoothing = config.label_smoothing
        self._clip = clip_bounds(config.probability_clip)
        self._clip_norm = config.gradient_clip_norm
        self._params = [value.tensor for value in network.parameters]
        self._l2 = [(index, value.l2) for index, value in enumerate(network.parameters) if value.l2]

    def step(self, images: Tensor, labels: Tensor, *, rate: float, t: int) -> Measured:
        """Do one update; see `Update.step`."""
        return self.apply(images, labels, *self._optimizer.factors(rate, t))

    def apply(self, images: Tensor, labels: Tensor, *factors: Factor) -> Measured:
        """Do one update with the optimizer's factors, see `TorchOptimizer.apply`."""
        with torch.autocast(
            images.device.type, torch.bfloat16, enabled=self._precision == "bfloat16"
        ):
            logits = self._network.logits(images, training=True)
        logits = logits.float()
        loss = cross_entropy(logits, labels, clip=self._clip, smoothing=self._smoothing)
        grads = list(torch.autograd.grad(loss, self._params))
        with torch.no_grad():
            total = loss.detach()
            if self._l2:
                penalty = self._network.penalty()
                total = total if penalty is None else total + penalty
                for index, factor in self._l2:
                    grads[index].add_(self._params[index], alpha=2 * factor)
            if self._clip_norm is not None:
                clip_by_global_norm(grads, self._clip_norm)
            self._optimizer.apply(grads, *factors)
            return Measured(total, (logits.detach().argmax(1) == labels).sum())


def clip_bounds(clip: float) -> tuple[float, float] | None:
    """Turn a configuration's `probability_clip` into the least and the largest log probability; None where nothing is clipped."""
    return (math.log(clip), math.log1p(-clip)) if clip else None


def cross_entropy(
    logits: Tensor, labels: Tensor, *, clip: tuple[float, float] | None, smoothing: float = 0.0
) -> Tensor:
    """Compute the mean categorical cross-entropy of ``(B, 10)`` logits.

    Keras 2 clips the probabilities to [1e-7, 1 - 1e-7] first: an image that is wrong beyond that pulls at no weight, which keeps networks
    trained at a high rate from diverging.

    Args:
        logits: before the softmax.
        labels: ``(B,)`` int64.
        clip: from `clip_bounds`.
        smoothing: share of each label that is spread over all classes.
    """
    if clip is None:
        return functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    clipped = functional.log_softmax(logits, 1).clamp(*clip)
    return functional.nll_loss(clipped, labels) * (1 - smoothing) - clipped.mean() * smoothing


def clip_by_global_norm(grads: list[Tensor], largest: float) -> None:
    """Scale gradients in place so that their joint Euclidean norm is at most `largest` (Pascanu et al., 2013).

    Gradients may be of any shape, float32; the norm is in their unit.
    """
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(grad) for grad in grads]))
    factor = largest / norm.clamp(min=largest)
    for grad in grads:
        grad.mul_(factor)
