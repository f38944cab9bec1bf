"""Where a layer's parameters stand in the plain torch network, whose names all stored weights have."""

from __future__ import annotations

from mnist_dash.core.config import layers as specs
from mnist_dash.core.config.run_config import RunConfig


def module_numbers(config: RunConfig) -> tuple[int, ...]:
    """Number each layer's own module as the plain network does, where padding and activations are modules too.

    The parameters of the layer at index i are named ``<number i>.weight`` and ``<number i>.bias``. A layer that is no module, a linear
    activation, has the number of the next one.
    """
    numbers: list[int] = []
    n_modules = 0
    for layer, planned in zip(config.layers, config.plan, strict=True):
        if isinstance(layer, specs.Conv) and layer.padding == "same":
            before, after = specs.same_padding(planned.input_shape[0], layer)
            n_modules += before != after
        numbers.append(n_modules)
        activation = getattr(layer, "activation", "linear")
        n_modules += (not isinstance(layer, specs.ActivationLayer)) + (activation not in ("linear", "softmax"))
    return tuple(numbers)
