"""Layer specifications, and what follows from them without building anything.

A network is a tuple of specifications. `plan` walks it once and gives, for every layer, its output shape, its parameter count, its
floating-point operations and the arithmetic of each in words. Shapes are channels-last, as the published reports print them:
``(height, width, channels)`` for images and ``(features,)`` for vectors, without the batch axis. No torch in here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from mnist_dash.core.config.problems import in_own_words, typed
from mnist_dash.errors import Problem

Shape = tuple[int, ...]
Activation = Literal["linear", "relu", "elu", "gelu", "silu", "leaky_relu", "tanh", "sigmoid"]
Padding = Literal["valid", "same"]

MAX_PARAMETERS = 50_000_000


class Spec(BaseModel):
    """Base of every part of a configuration: frozen, nothing unknown, no NaN and no infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    @model_validator(mode="wrap")
    @classmethod
    def _in_own_words(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401 - whatever was typed
        try:
            return handler(typed(cls, values))
        except ValidationError as error:
            raise in_own_words(error, cls) from error


class GlorotUniform(Spec):
    """Uniform in ±sqrt(6 / (fan_in + fan_out)); Keras's default for kernels (Glorot and Bengio, 2010)."""

    kind: Literal["glorot_uniform"] = "glorot_uniform"


class GlorotNormal(Spec):
    """Truncated normal of standard deviation sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""

    kind: Literal["glorot_normal"] = "glorot_normal"


class HeUniform(Spec):
    """Uniform in ±sqrt(6 / fan_in) (He et al., 2015)."""

    kind: Literal["he_uniform"] = "he_uniform"


class HeNormal(Spec):
    """Truncated normal of standard deviation sqrt(2 / fan_in) (He et al., 2015)."""

    kind: Literal["he_normal"] = "he_normal"


class Normal(Spec):
    """Normal with mean zero."""

    kind: Literal["normal"] = "normal"
    std: float = Field(0.05, gt=0, le=10)


class TruncatedNormal(Spec):
    """Normal with mean zero whose draws beyond two standard deviations are drawn again; `std` is that before the cut."""

    kind: Literal["truncated_normal"] = "truncated_normal"
    std: float = Field(0.05, gt=0, le=10)


class Constant(Spec):
    """Every value the same."""

    kind: Literal["constant"] = "constant"
    value: float = Field(0.1, ge=-10, le=10)


class Zeros(Spec):
    """All zeros; Keras's default for biases."""

    kind: Literal["zeros"] = "zeros"


Initializer = Annotated[
    GlorotUniform | GlorotNormal | HeUniform | HeNormal | Normal | TruncatedNormal | Constant | Zeros,
    Field(discriminator="kind"),
]


class Conv(Spec):
    """Two-dimensional convolution with a square kernel, a bias and an activation."""

    kind: Literal["conv"] = "conv"
    filters: int = Field(32, ge=1, le=1024)
    kernel: int = Field(3, ge=1, le=28)
    stride: int = Field(1, ge=1, le=8)
    padding: Padding = "valid"
    activation: Activation = "relu"
    kernel_init: Initializer = GlorotUniform()
    bias_init: Initializer = Zeros()
    l2: float = Field(0.0, ge=0, le=10)


class MaxPool(Spec):
    """Maximum over square windows, as far apart as they are wide unless `stride` says otherwise."""

    kind: Literal["max_pool"] = "max_pool"
    size: int = Field(2, ge=1, le=14)
    stride: int | None = Field(None, ge=1, le=14)


class AvgPool(Spec):
    """Mean over square windows, as far apart as they are wide unless `stride` says otherwise."""

    kind: Literal["avg_pool"] = "avg_pool"
    size: int = Field(2, ge=1, le=14)
    stride: int | None = Field(None, ge=1, le=14)


class Dropout(Spec):
    """Zeroes a fraction `rate` of the values while training and scales the others by 1 / (1 - rate) (Srivastava et al., 2014)."""

    kind: Literal["dropout"] = "dropout"
    rate: float = Field(0.5, ge=0, le=0.95)


class BatchNorm(Spec):
    """Batch normalisation with trained scale and shift (Ioffe and Szegedy, 2015); `momentum` is Keras's, the share kept."""

    kind: Literal["batch_norm"] = "batch_norm"
    momentum: float = Field(0.99, ge=0, lt=1)
    epsilon: float = Field(1e-3, gt=0, le=1)


class ActivationLayer(Spec):
    """An activation on its own, after batch normalisation say."""

    kind: Literal["activation"] = "activation"
    activation: Activation = "relu"


class Flatten(Spec):
    """Image to vector; channels vary fastest, as in Keras."""

    kind: Literal["flatten"] = "flatten"


class Dense(Spec):
    """Fully connected layer; `l2` adds ``l2 * sum(kernel ** 2)`` to the loss, the bias excepted."""

    kind: Literal["dense"] = "dense"
    units: int = Field(128, ge=1, le=8192)
    activation: Activation | Literal["softmax"] = "relu"
    kernel_init: Initializer = GlorotUniform()
    bias_init: Initializer = Zeros()
    l2: float = Field(0.0, ge=0, le=10)


Layer = Annotated[
    Conv | MaxPool | AvgPool | Dropout | BatchNorm | ActivationLayer | Flatten | Dense,
    Field(discriminator="kind"),
]
LAYER_KINDS: dict[str, type[Spec]] = {
    "conv": Conv,
    "max_pool": MaxPool,
    "avg_pool": AvgPool,
    "dropout": Dropout,
    "batch_norm": BatchNorm,
    "activation": ActivationLayer,
    "flatten": Flatten,
    "dense": Dense,
}


@dataclass(frozen=True)
class LayerPlan:
    """What one layer makes of its input."""

    index: int
    name: str
    """Unique in the network: the kind and a running number, such as ``conv_1``."""
    summary: str
    """One line a person recognises the layer by, such as ``conv 32, 3x3 valid, relu``."""
    input_shape: Shape
    output_shape: Shape
    n_parameters: int
    """Trained parameters; the running statistics of batch normalisation are not counted."""
    flops: int
    """Floating-point operations of one image's forward pass, a multiply-add counted as two."""
    shape_arithmetic: str
    parameter_arithmetic: str


class ImpossibleLayer(ValueError):
    """A layer cannot take the shape that comes in; carries the layer's index."""

    def __init__(self, index: int, fault: str, allowed: str, remedy: str) -> None:
        self.index = index
        self.problem = Problem(f"layers.{index}", fault, allowed, remedy)
        super().__init__(self.problem.sentence)


def plan(layers: tuple[Layer, ...], input_shape: Shape) -> tuple[LayerPlan, ...]:
    """Plan a network: shapes, counts and their arithmetic, layer by layer.

    Args:
        layers: the specifications, input side first.
        input_shape: ``(height, width, channels)`` or ``(features,)``.

    Raises:
        ImpossibleLayer: a layer cannot take the shape that reaches it.
    """
    plans: list[LayerPlan] = []
    counts: dict[str, int] = {}
    shape = input_shape
    for index, layer in enumerate(layers):
        counts[layer.kind] = counts.get(layer.kind, 0) + 1
        name = f"{layer.kind}_{counts[layer.kind]}"
        planned = _plan_layer(index, name, layer, shape)
        plans.append(planned)
        shape = planned.output_shape
    return tuple(plans)


def summary(layer: Layer) -> str:
    """Name a layer in one short line, such as ``dense 512, relu, l2 0.0001``."""
    match layer:
        case Conv():
            stride = f", stride {layer.stride}" if layer.stride > 1 else ""
            text = f"conv {layer.filters}, {layer.kernel}x{layer.kernel} {layer.padding}{stride}, {layer.activation}"
            return text + (f", l2 {layer.l2:g}" if layer.l2 else "")
        case MaxPool() | AvgPool():
            stride = f", stride {layer.stride}" if layer.stride not in (None, layer.size) else ""
            return f"{'max' if isinstance(layer, MaxPool) else 'average'} pool {layer.size}x{layer.size}{stride}"
        case Dropout():
            return f"dropout {layer.rate:g}"
        case BatchNorm():
            return "batch normalisation"
        case ActivationLayer():
            return layer.activation
        case Flatten():
            return "flatten"
        case Dense():
            return f"dense {layer.units}, {layer.activation}" + (f", l2 {layer.l2:g}" if layer.l2 else "")


def format_shape(shape: Shape) -> str:
    """Write a shape as people do: ``26 x 26 x 32``."""
    return " x ".join(str(size) for size in shape)


def same_padding(side: int, layer: Conv) -> tuple[int, int]:
    """Zeros before and after one axis for a `same` convolution: TensorFlow's rule, the odd one behind."""
    total = max((math.ceil(side / layer.stride) - 1) * layer.stride + layer.kernel - side, 0)
    return total // 2, total - total // 2


def _plan_layer(index: int, name: str, layer: Layer, shape: Shape) -> LayerPlan:
    match layer:
        case Conv():
            output, words = _conv_shape(index, name, layer, shape)
            weights = layer.kernel**2 * shape[2] * layer.filters
            n_parameters = weights + layer.filters
            arithmetic = (
                f"{layer.kernel} x {layer.kernel} x {shape[2]} x {layer.filters} weights + {layer.filters} biases = {n_parameters:,}"
            )
            flops = 2 * weights * output[0] * output[1]
        case MaxPool() | AvgPool():
            output, words = _pool_shape(index, name, layer, shape)
            n_parameters, arithmetic = 0, "nothing to train"
            flops = layer.size**2 * math.prod(output)
        case Dense():
            _require_vector(index, name, shape)
            output = (layer.units,)
            words = f"{layer.units} units"
            n_parameters = (shape[0] + 1) * layer.units
            arithmetic = f"{shape[0]} x {layer.units} weights + {layer.units} biases = {n_parameters:,}"
            flops = 2 * shape[0] * layer.units
        case Flatten():
            output = (math.prod(shape),)
            words = f"{format_shape(shape)} = {output[0]:,}" if len(shape) > 1 else f"{output[0]:,}, a vector already"
            n_parameters, arithmetic, flops = 0, "nothing to train", 0
        case BatchNorm():
            output, words = shape, "unchanged"
            n_parameters = 2 * shape[-1]
            arithmetic = f"{shape[-1]} scales + {shape[-1]} shifts = {n_parameters:,}"
            flops = 2 * math.prod(shape)
        case Dropout() | ActivationLayer():
            output, words = shape, "unchanged"
            n_parameters, arithmetic, flops = 0, "nothing to train", math.prod(shape)
    return LayerPlan(index, name, summary(layer), shape, output, n_parameters, flops, words, arithmetic)


def _conv_shape(index: int, name: str, layer: Conv, shape: Shape) -> tuple[Shape, str]:
    _require_image(index, name, shape)
    sides: list[int] = []
    for side in shape[:2]:
        if layer.padding == "valid" and layer.kernel > side:
            raise ImpossibleLayer(
                index,
                f"{name}: a {layer.kernel}x{layer.kernel} kernel without padding is larger than its input of {format_shape(shape)}",
                "",
                f"Make the kernel at most {side}, pad with 'same', or pool less before it.",
            )
        sides.append(math.ceil(side / layer.stride) if layer.padding == "same" else (side - layer.kernel) // layer.stride + 1)
    if layer.padding == "same":
        words = f"{shape[0]} / {layer.stride} = {sides[0]}" if layer.stride > 1 else f"same padding keeps {sides[0]}"
    elif layer.stride > 1:
        words = f"({shape[0]} - {layer.kernel}) / {layer.stride} + 1 = {sides[0]}"
    else:
        words = f"{shape[0]} - {layer.kernel} + 1 = {sides[0]}"
    return (*sides, layer.filters), f"{words}; {layer.filters} filters"


def _pool_shape(index: int, name: str, layer: MaxPool | AvgPool, shape: Shape) -> tuple[Shape, str]:
    _require_image(index, name, shape)
    stride = layer.stride or layer.size
    if layer.size > min(shape[:2]):
        raise ImpossibleLayer(
            index,
            f"{name}: a {layer.size}x{layer.size} window is larger than its input of {format_shape(shape)}",
            "",
            f"Make the window at most {min(shape[:2])}, or remove the layer.",
        )
    sides = tuple((side - layer.size) // stride + 1 for side in shape[:2])
    words = (
        f"{shape[0]} / {layer.size} = {sides[0]}" if stride == layer.size else f"({shape[0]} - {layer.size}) / {stride} + 1 = {sides[0]}"
    )
    if stride == layer.size and shape[0] % layer.size:
        words = f"{shape[0]} / {layer.size}, rounded down = {sides[0]}"
    return (*sides, shape[2]), words


def _require_image(index: int, name: str, shape: Shape) -> None:
    if len(shape) != 3:
        raise ImpossibleLayer(
            index,
            f"{name}: a vector of {format_shape(shape)} comes in",
            "this layer takes an image: height x width x channels",
            "Move it before the flatten or dense layer, or remove it.",
        )


def _require_vector(index: int, name: str, shape: Shape) -> None:
    if len(shape) != 1:
        raise ImpossibleLayer(
            index,
            f"{name}: an image of {format_shape(shape)} comes in",
            "a dense layer takes a vector",
            "Put a flatten layer before it.",
        )
