"""Hand-written gradients for the usual networks on the CPU: the same arithmetic as autograd's, in fewer and cheaper operations.

Everything is computed in one type, float32 or bfloat16; in bfloat16 the kernels have copies that are refreshed after each update, and the
parameters and the optimizer stay in float32. What is saved: recording a graph, converting kernels for every use, fresh memory for
gradients that can overwrite each other, and the general loss functions. Networks with layers that are not here use autograd.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from mnist_dash.core.config import layers as specs
from mnist_dash.core.config.run_config import N_CLASSES, RunConfig
from mnist_dash.core.network.dropout import Dropout
from mnist_dash.core.network.torch_network import Network
from mnist_dash.core.training.optimizers import Optimizer
from mnist_dash.core.training.update import Measured, clip_bounds, clip_by_global_norm

aten = torch.ops.aten
WIDE_UNITS = 64
"""Narrower products are over before another library's preparations are."""


class Operation(Protocol):
    """One piece of the network, with what it must remember between the two directions."""

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output; may overwrite the input of an activation or a dropout."""

    def backward(self, grad: Tensor) -> Tensor:
        """Turn the gradient of the output into that of the input; may overwrite it."""


def is_supported(config: RunConfig) -> bool:
    """Whether every layer of a network has its gradients written here."""
    for layer, planned in zip(config.layers, config.plan, strict=True):
        match layer:
            case specs.Conv():
                padding = specs.same_padding(planned.input_shape[0], layer) if layer.padding == "same" else (0, 0)
                if layer.activation not in ("relu", "linear") or padding[0] != padding[1]:
                    return False
            case specs.Dense():
                if layer.activation not in ("relu", "linear", "softmax"):
                    return False
            case specs.MaxPool() | specs.Dropout() | specs.Flatten():
                pass
            case _:
                return False
    return True


class _Weights:
    """A layer's kernel and bias as they are computed with, and their gradients in float32."""

    def __init__(self, kernel: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        self.masters = (kernel.detach(), bias.detach())
        self.kernel, self.bias = self.masters if dtype == torch.float32 else tuple(value.to(dtype) for value in self.masters)
        self.copies = [] if dtype == torch.float32 else [self.kernel, self.bias]
        self.grads = [torch.empty_like(value) for value in self.masters]
        self.rounded = None if dtype == torch.float32 else torch.empty_like(self.kernel)
        """Room for the kernel's gradient before it becomes float32."""


def _product(a: Tensor, b: Tensor, bias: Tensor | None) -> Tensor:
    """Compute ``a @ b.T + bias`` in float32 by oneDNN: a tenth to a half faster than MKL at these shapes on an AMD processor."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
    return product


def _has_onednn() -> bool:
    """Whether torch was built with oneDNN, and with the product above."""
    return torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class _Dense:
    """``x @ kernel.T + bias``."""

    def __init__(self, weights: _Weights, *, is_first: bool) -> None:
        self.weights, self._is_first = weights, is_first

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        return torch.addmm(self.weights.bias, x, self.weights.kernel.t())

    def backward(self, grad: Tensor) -> Tensor:
        of_kernel, of_bias = self.weights.grads
        if self.weights.rounded is None:
            torch.mm(grad.t(), self._x, out=of_kernel)
        else:
            of_kernel.copy_(torch.mm(grad.t(), self._x, out=self.weights.rounded))
        torch.sum(grad, 0, dtype=torch.float32, out=of_bias)
        return grad if self._is_first else torch.mm(grad, self.weights.kernel)


class _WideDense(_Dense):
    """The same for a wide layer in float32."""

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        return _product(x, self.weights.kernel, self.weights.bias)

    def backward(self, grad: Tensor) -> Tensor:
        self.weights.grads = [_product(grad.t(), self._x.t(), None), grad.sum(0)]
        return grad if self._is_first else _product(grad, self.weights.kernel.t(), None)


class _Conv:
    """A convolution with symmetric padding."""

    def __init__(self, weights: _Weights, stride: int, padding: int, *, is_first: bool) -> None:
        self.weights = weights
        self._stride, self._padding = [stride, stride], [padding, padding]
        self._wanted = [not is_first, True, True]

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        return torch.conv2d(x, self.weights.kernel, self.weights.bias, self._stride, self._padding)

    def backward(self, grad: Tensor) -> Tensor:
        kernel = self.weights.kernel
        onward, *grads = aten.convolution_backward(
            grad, self._x, kernel, [len(kernel)], self._stride, self._padding, [1, 1], False, [0, 0], 1, self._wanted
        )
        self.weights.grads = [value.float() for value in grads]
        return grad if onward is None else onward


class _MaxPool:
    """Maximum over windows; the gradient goes to each window's first maximum, as in autograd."""

    def __init__(self, size: int, stride: int) -> None:
        self._size, self._stride = [size, size], [stride, stride]

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        pooled: Tensor
        pooled, self._indices = aten.max_pool2d_with_indices(x, self._size, self._stride)
        return pooled

    def backward(self, grad: Tensor) -> Tensor:
        spread: Tensor = aten.max_pool2d_with_indices_backward(
            grad, self._x, self._size, self._stride, [0, 0], [1, 1], False, self._indices
        )
        return spread


class _ReLU:
    """``max(x, 0)``, in place both ways."""

    def forward(self, x: Tensor) -> Tensor:
        self._y = x.relu_()
        return self._y

    def backward(self, grad: Tensor) -> Tensor:
        aten.threshold_backward.grad_input(grad, self._y, 0, grad_input=grad)
        return grad


class _Dropout:
    """Multiplication by a random mask."""

    def __init__(self, dropout: Dropout) -> None:
        self._dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        self._mask = self._dropout.mask(x)
        return x * self._mask

    def backward(self, grad: Tensor) -> Tensor:
        return grad.mul_(self._mask)


class _Flatten:
    """Image to vector, channels fastest: no copy of a channels-last image."""

    def forward(self, x: Tensor) -> Tensor:
        self._shape = x.shape
        return x.permute(0, 2, 3, 1).flatten(1) if x.dim() == 4 else x

    def backward(self, grad: Tensor) -> Tensor:
        if len(self._shape) != 4:
            return grad
        n, channels, height, width = self._shape
        return grad.view(n, height, width, channels).permute(0, 3, 1, 2)


class HandwrittenUpdate:
    """Updates of a supported network on the CPU; results equal `AutogradUpdate`'s up to rounding."""

    def __init__(self, config: RunConfig, network: Network, optimizer: Optimizer, *, precision: str) -> None:
        self._optimizer = optimizer
        self._dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        self._clip_norm = config.gradient_clip_norm
        self._network = network
        self._params = [value.tensor.detach() for value in network.parameters]
        self._l2 = [(index, value.l2) for index, value in enumerate(network.parameters) if value.l2]
        self._operations, self._weights = _operations(config, network, self._dtype)
        first = next(index for index, operation in enumerate(self._operations) if isinstance(operation, _Dense | _Conv))
        self._backwards = self._operations[first:][::-1]
        self._copies = [copy for weights in self._weights for copy in weights.copies]
        self._clip = clip_bounds(config.probability_clip)
        self._targets = torch.eye(N_CLASSES).mul_(1 - config.label_smoothing).add_(config.label_smoothing / N_CLASSES)

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
            grad = targets.addcmul_(log_probabilities.exp_(), targets.sum(1, keepdim=True), value=-1).to(self._dtype)
        for operation in self._backwards:
            grad = operation.backward(grad)
        grads = [grad for weights in self._weights for grad in weights.grads]
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


def _operations(config: RunConfig, network: Network, dtype: torch.dtype) -> tuple[list[Operation], list[_Weights]]:
    """Lay a network out as operations, maximum pooling before the ReLU in front of it; and its weights, input side first."""
    operations: list[Operation] = []
    all_weights: list[_Weights] = []
    tensors = iter([value.tensor for value in network.parameters])

    def weights() -> _Weights:
        all_weights.append(_Weights(next(tensors), next(tensors), dtype))
        return all_weights[-1]

    for layer, planned in zip(config.layers, config.plan, strict=True):
        match layer:
            case specs.Conv():
                padding = specs.same_padding(planned.input_shape[0], layer)[0] if layer.padding == "same" else 0
                operations.append(_Conv(weights(), layer.stride, padding, is_first=len(all_weights) == 1))
            case specs.Dense():
                is_wide = dtype == torch.float32 and min(planned.input_shape[0], layer.units) >= WIDE_UNITS and _has_onednn()
                operations.append((_WideDense if is_wide else _Dense)(weights(), is_first=len(all_weights) == 1))
            case specs.MaxPool():
                pool = _MaxPool(layer.size, layer.stride or layer.size)
                operations.insert(len(operations) - isinstance(operations[-1] if operations else None, _ReLU), pool)
            case specs.Dropout():
                if layer.rate > 0:
                    operations.append(_Dropout(Dropout(layer.rate, network.dropout_generator)))
            case _:
                operations.append(_Flatten())
        if isinstance(layer, specs.Conv | specs.Dense) and layer.activation == "relu":
            operations.append(_ReLU())
    return operations, all_weights
