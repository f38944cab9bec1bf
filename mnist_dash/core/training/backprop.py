"""Hand-written gradients for the usual networks on the CPU: the same arithmetic as autograd's, in fewer and cheaper operations.

Everything is computed in one type, float32 or bfloat16; in bfloat16 the kernels have copies that are refreshed after each update, and the
parameters and the optimizer stay in float32. What is saved: recording a graph, converting kernels for every use, fresh memory for
gradients that can overwrite each other, and the general loss functions. Networks with layers that have no gradient by hand use autograd.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mnist_dash.core.config.run_config import N_CLASSES, RunConfig
from mnist_dash.core.layers.gradients import ByHand
from mnist_dash.core.network.torch_network import Network
from mnist_dash.core.optimizers.torch_optimizer import TorchOptimizer
from mnist_dash.core.training.update import Measured, clip_bounds, clip_by_global_norm


def is_supported(config: RunConfig) -> bool:
    """Whether every layer of a network has its gradient written by hand."""
    return all(
        layer.has_gradient(planned.input_shape)
        for layer, planned in zip(config.layers, config.plan, strict=True)
    )


class HandwrittenUpdate:
    """Updates of a supported network on the CPU; results equal `AutogradUpdate`'s up to rounding."""

    def __init__(
        self, config: RunConfig, network: Network, optimizer: TorchOptimizer, *, precision: str
    ) -> None:
        self._optimizer = optimizer
        self._dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        self._clip_norm = config.gradient_clip_norm
        self._network = network
        self._params = [value.tensor.detach() for value in network.parameters]
        self._l2 = [(index, value.l2) for index, value in enumerate(network.parameters) if value.l2]
        by_hand = ByHand(
            [value.tensor for value in network.parameters], self._dtype, network.dropout_generator
        )
        for layer, planned in zip(config.layers, config.plan, strict=True):
            layer.add_gradient(by_hand, planned.input_shape)
        self._pieces, self._trained = by_hand.pieces, by_hand.trained
        self._operations, self._backwards = by_hand.forwards, by_hand.backwards
        self._copies = [copy for trained in self._trained for copy in trained.copies]
        self._clip = clip_bounds(config.probability_clip)
        self._targets = (
            torch.eye(N_CLASSES)
            .mul_(1 - config.label_smoothing)
            .add_(config.label_smoothing / N_CLASSES)
        )

    def refresh(self) -> None:
        """Take over parameters that were changed from outside; once before the first step."""
        if self._copies:
            torch._foreach_copy_(self._copies, self._params)

    @torch.no_grad()
    def step(self, images: Tensor, labels: Tensor, *, rate: float, t: int) -> Measured:
        """Do one update; see `Update.step`."""
        x = self._network.arrange(images.to(self._dtype))
        for operation in self._operations:
            x = operation.forward(x)
        n = len(labels)
        log_probabilities = torch.log_softmax(x.float(), 1)
        targets = self._targets.index_select(0, labels).div_(-n)
        n_right = log_probabilities.argmax(1).eq_(labels).sum()
        if self._clip is None:
            loss = torch.dot(log_probabilities.view(-1), targets.view(-1))
            grad = targets.add_(log_probabilities.exp_(), alpha=1 / n).to(self._dtype)
        else:
            clipped = log_probabilities.clamp(*self._clip)
            loss = torch.dot(clipped.view(-1), targets.view(-1))
            targets.mul_(clipped == log_probabilities)  # a clipped probability has no gradient
            grad = targets.addcmul_(
                log_probabilities.exp_(), targets.sum(1, keepdim=True), value=-1
            ).to(self._dtype)
        for operation in self._backwards:
            grad = operation.backward(grad)
        grads = [grad for trained in self._trained for grad in trained.grads]
        if self._l2:
            penalty = self._network.penalty()
            loss = loss if penalty is None else loss + penalty
            for index, factor in self._l2:
                grads[index].add_(self._params[index], alpha=2 * factor)
        if self._clip_norm is not None:
            clip_by_global_norm(grads, self._clip_norm)
        self._optimizer.apply(grads, *self._optimizer.factors(rate, t))
        self.refresh()
        return Measured(loss, n_right)
