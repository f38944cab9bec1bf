"""A configuration as a Python file that anyone can read and run with torch and torchvision alone.

Pure text: the file is put together from the parts that the configuration needs. Random draws differ from the dashboard's, so its figures
agree with a run's as those of two seeds do.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from mnist_dash.core import hog
from mnist_dash.core.config import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    ConstantSchedule,
    CosineSchedule,
    ExponentialSchedule,
    Lion,
    NAdam,
    RMSprop,
    RunConfig,
    StepSchedule,
    StratifiedSplit,
    TailSplit,
)
from mnist_dash.core.layers import (
    ActivationLayer,
    AvgPool,
    BatchNorm,
    Constant,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Initializer,
    Layer,
    LayerPlan,
    MaxPool,
    Normal,
    TruncatedNormal,
    format_shape,
)
from mnist_dash.core.script_parts import AUGMENTATION, BODY, BUILD, FEATURES, HEAD, LION, LOSSES, NO_SCALING, SCALINGS, SPLITS
from mnist_dash.errors import InvalidInput

_ACTIVATIONS = {
    "relu": "nn.ReLU()",
    "elu": "nn.ELU()",
    "gelu": "nn.GELU()",
    "silu": "nn.SiLU()",
    "leaky_relu": "nn.LeakyReLU()",
    "tanh": "nn.Tanh()",
    "sigmoid": "nn.Sigmoid()",
}
_DATASETS = {
    "mnist": "datasets.MNIST(root, train=train, download=True)",
    "fashion_mnist": "datasets.FashionMNIST(root, train=train, download=True)",
    "kmnist": "datasets.KMNIST(root, train=train, download=True)",
    "qmnist": "datasets.QMNIST(root, train=train, download=True)",
    "emnist_digits": 'datasets.EMNIST(root, split="digits", train=train, download=True)',
}


def training_script(config: RunConfig) -> str:
    """Write a training script that needs nothing but torch and torchvision.

    Args:
        config: what to train; everything in it is written out.

    Raises:
        InvalidInput: its settings change while it trains.
    """
    if config.changes:
        raise InvalidInput(
            f"A training script has the same settings throughout; got {len(config.changes)} changes of settings. Train its configuration "
            "again with `python -m mnist_dash train --config FILE`."
        )
    indented = "\n".join(f"        {line}" for line in _network(config))
    parts = [
        HEAD.format(dataset=config.dataset, hash=config.hash),
        _features(config),
        _constants(config),
        _load(config),
        SPLITS["fraction" if not config.leaks_test_set else "leak"].format(order=_split_order(config)),
        SCALINGS[config.scaling] if config.features == "pixels" else NO_SCALING,
        BUILD.format(modules=indented),
        _initialise(config),
        LOSSES["clipped" if config.probability_clip else "plain"].format(clip=config.probability_clip),
        _penalty(config),
        LION if isinstance(config.optimizer, Lion) else "",
        _optimizer(config),
        _rate(config),
        AUGMENTATION.format(**config.augmentation.model_dump()) if config.augmentation else "",
        BODY.format(
            augment="\n            batch = augment(batch)" if config.augmentation else "",
            epsilon=_epsilon_line(config),
            clip=_clip(config),
            smoothing=config.label_smoothing,
            keep_best=_early_stopping(config),
            restore=_restore(config),
            autocast=config.precision == "bfloat16",
        ),
    ]
    return "\n\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _constants(config: RunConfig) -> str:
    device = {"auto": '"cuda" if torch.cuda.is_available() else "cpu"', "cpu": '"cpu"', "cuda": '"cuda"'}[config.device]
    return (
        f"SEED = {config.seed}\nEPOCHS = {config.epochs}\nBATCH_SIZE = {config.batch_size}\n"
        f"STEPS_PER_EPOCH = {config.steps_per_epoch}\nDEVICE = torch.device({device})"
    )


def _features(config: RunConfig) -> str:
    """Copy the definition of the features from this package."""
    if config.features == "pixels":
        return ""
    source = inspect.getsource(hog)
    return FEATURES + source[source.index("N_ORIENTATIONS") :]


def _load(config: RunConfig) -> str:
    images = "part.data.transpose(1, 2)" if config.dataset == "emnist_digits" else "part.data"
    labels = "part.targets[:, 0]" if config.dataset == "qmnist" else "part.targets"
    inputs = f"{images}.unsqueeze(1).contiguous()" if config.features == "pixels" else f"torch.from_numpy(hog({images}.numpy()))"
    said = "images (N, 1, 28, 28) uint8" if config.features == "pixels" else "features (N, 392)"
    return (
        "def load(root: str, train: bool) -> tuple[torch.Tensor, torch.Tensor]:\n"
        f'    """Fetch one part: {said} and labels (N,)."""\n'
        f"    part = {_DATASETS[config.dataset]}\n"
        f"    return {inputs}, {labels}.long()"
    )


def _split_order(config: RunConfig) -> str:
    split = config.split
    n = config.n_training
    if isinstance(split, TailSplit):
        return f"torch.arange(len(labels)).tensor_split([{n}])"
    seed = getattr(split, "seed", 0)
    if isinstance(split, StratifiedSplit):
        return f"stratified(labels, {split.fraction!r}, torch.Generator().manual_seed({seed}))"
    return f"torch.randperm(len(labels), generator=torch.Generator().manual_seed({seed})).tensor_split([{n}])"


def _network(config: RunConfig) -> Iterator[str]:
    for layer, planned in zip(config.layers, config.plan, strict=True):
        modules = list(_modules(layer, planned))
        for module in modules:
            shape = f"  # {format_shape(planned.output_shape)}" if module is modules[-1] else ""
            yield f"{module},{shape}"


def _modules(layer: Layer, planned: LayerPlan) -> Iterator[str]:
    inputs = planned.input_shape
    match layer:
        case Conv():
            yield from _conv(layer, planned)
        case MaxPool() | AvgPool():
            kind = "MaxPool2d" if isinstance(layer, MaxPool) else "AvgPool2d"
            yield f"nn.{kind}({layer.size}, stride={layer.stride or layer.size})"
        case Dropout():
            yield f"nn.Dropout({layer.rate!r})"
        case BatchNorm():
            kind = "BatchNorm2d" if len(inputs) == 3 else "BatchNorm1d"
            yield f"nn.{kind}({inputs[-1]}, eps={layer.epsilon!r}, momentum={1 - layer.momentum:.6g})"
        case ActivationLayer():
            yield from _activation(layer.activation)
        case Flatten():
            yield "nn.Flatten()"
        case Dense():
            yield f"nn.Linear({inputs[0]}, {layer.units})"
            yield from _activation(layer.activation)


def _conv(layer: Conv, planned: LayerPlan) -> Iterator[str]:
    channels = planned.input_shape[2]
    padding = "0"
    if layer.padding == "same":
        # As TensorFlow pads: an odd pixel goes to the right and to the bottom.
        needed = [
            max((out - 1) * layer.stride + layer.kernel - side, 0)
            for out, side in zip(planned.output_shape, planned.input_shape[:2], strict=False)
        ]
        if any(total % 2 for total in needed):
            (top, bottom), (left, right) = ((total // 2, total - total // 2) for total in needed)
            yield f"nn.ZeroPad2d(({left}, {right}, {top}, {bottom}))"
        else:
            padding = f"({needed[0] // 2}, {needed[1] // 2})"
    yield f"nn.Conv2d({channels}, {layer.filters}, {layer.kernel}, stride={layer.stride}, padding={padding})"
    yield from _activation(layer.activation)


def _activation(name: str) -> tuple[str, ...]:
    return (_ACTIVATIONS[name],) if name in _ACTIVATIONS else ()


def _trained(config: RunConfig) -> list[Conv | Dense]:
    return [layer for layer in config.layers if isinstance(layer, Conv | Dense)]


def _initialise(config: RunConfig) -> str:
    lines = [
        "def initialise(network: nn.Sequential) -> None:",
        '    """Give every layer its first weights, by the definitions of Keras."""',
        "    layers = [layer for layer in network if isinstance(layer, (nn.Conv2d, nn.Linear))]",
    ]
    for index, layer in enumerate(_trained(config)):
        lines.append(f"    {_fill(layer.kernel_init, f'layers[{index}].weight')}")
        lines.append(f"    {_fill(layer.bias_init, f'layers[{index}].bias')}")
    return "\n".join(lines)


def _fill(initializer: Initializer, tensor: str) -> str:
    is_bias = tensor.endswith(".bias")
    match initializer:
        case Normal():
            return f"nn.init.normal_({tensor}, std={initializer.std!r})"
        case TruncatedNormal():
            return f"nn.init.trunc_normal_({tensor}, std={initializer.std!r}, a={-2 * initializer.std!r}, b={2 * initializer.std!r})"
        case Constant():
            return f"nn.init.constant_({tensor}, {initializer.value!r})"
    if initializer.kind == "zeros":
        return f"nn.init.zeros_({tensor})"
    scheme, law = initializer.kind.split("_")
    inputs, outputs = (f"{tensor}.numel()",) * 2 if is_bias else (f"{tensor}[0].numel()", f"{tensor}.numel() // {tensor}.shape[1]")
    spread = f"(6 / ({inputs} + {outputs})) ** 0.5" if scheme == "glorot" else f"(6 / ({inputs})) ** 0.5"
    if law == "uniform":
        return f"limit = {spread}; nn.init.uniform_({tensor}, -limit, limit)"
    return f"std = {spread} / 3 ** 0.5 / 0.87962566103423978; nn.init.trunc_normal_({tensor}, std=std, a=-2 * std, b=2 * std)"


def _penalty(config: RunConfig) -> str:
    terms = [f"{layer.l2!r} * layers[{index}].weight.square().sum()" for index, layer in enumerate(_trained(config)) if layer.l2]
    layers = "    layers = [layer for layer in network if isinstance(layer, (nn.Conv2d, nn.Linear))]\n" if terms else ""
    return (
        "def penalty(network: nn.Sequential) -> torch.Tensor | float:\n"
        f'    """Add up what L2 adds to the loss."""\n{layers}    return {" + ".join(terms) or "0.0"}'
    )


def _optimizer(config: RunConfig) -> str:
    spec = config.optimizer
    rate = f"lr={spec.learning_rate!r}"
    match spec:
        case SGD():
            call = f"torch.optim.SGD(parameters, {rate}, momentum={spec.momentum!r}, nesterov={spec.nesterov})"
        case Adam() | AdamW() | NAdam():
            decay = f", weight_decay={spec.weight_decay!r}" if isinstance(spec, AdamW) else ""
            name = {"adam": "Adam", "adamw": "AdamW", "nadam": "NAdam"}[spec.kind]
            call = f"torch.optim.{name}(parameters, {rate}, betas=({spec.beta_1!r}, {spec.beta_2!r}), eps={spec.epsilon!r}{decay})"
        case RMSprop():
            call = f"torch.optim.RMSprop(parameters, {rate}, alpha={spec.rho!r}, momentum={spec.momentum!r}, eps={spec.epsilon!r})"
        case Adadelta():
            call = f"torch.optim.Adadelta(parameters, {rate}, rho={spec.rho!r}, eps={spec.epsilon!r})"
        case Adagrad():
            call = f"torch.optim.Adagrad(parameters, {rate}, eps={spec.epsilon!r})"
        case Lion():
            call = f"Lion(parameters, {rate}, betas=({spec.beta_1!r}, {spec.beta_2!r}), weight_decay={spec.weight_decay!r})"
    return f'def make_optimizer(parameters) -> torch.optim.Optimizer:\n    """Make the optimizer."""\n    return {call}'


def _epsilon_line(config: RunConfig) -> str:
    if not isinstance(config.optimizer, Adam | AdamW):
        return ""
    # Keras adds epsilon outside the bias correction, torch inside.
    optimizer = config.optimizer
    return f'\n                group["eps"] = {optimizer.epsilon!r} / (1 - {optimizer.beta_2!r} ** (step + 1)) ** 0.5'


def _rate(config: RunConfig) -> str:
    schedule, optimizer = config.schedule, config.optimizer
    match schedule:
        case ConstantSchedule():
            share = "    share = 1.0"
        case StepSchedule():
            share = f"    share = {schedule.factor!r} ** (step // ({schedule.every_epochs} * STEPS_PER_EPOCH))"
        case ExponentialSchedule():
            share = f"    share = {schedule.factor!r} ** (step / STEPS_PER_EPOCH)"
        case CosineSchedule():
            share = f"    share = cosine(1.0, {schedule.final!r}, min(step / last, 1.0))"
        case _:
            falling = f"cosine(1.0, {schedule.final!r}, min((step - top) / (last - top), 1.0))"
            share = (
                f"    top = {schedule.rise!r} * last\n    share = cosine({schedule.start!r}, 1.0, step / top) if step <= top else {falling}"
            )
    lines = ["def rate(step: int) -> float:", '    """Give the learning rate of one step, counted from 0."""']
    if "last" in share:
        lines.append("    last = max(EPOCHS * STEPS_PER_EPOCH - 1, 1)")
    lines.append(share)
    if schedule.warmup_steps:
        lines.append(f"    share *= min(1.0, (step + 1) / {schedule.warmup_steps + 1})")
    decay = f" / (1 + {optimizer.decay!r} * step)" if isinstance(optimizer, SGD) and optimizer.decay else ""
    lines.append(f"    return {optimizer.learning_rate!r} * share{decay}")
    cosine = (
        "def cosine(begin: float, end: float, progress: float) -> float:\n"
        '    """Go from begin to end on half a cosine."""\n'
        "    return end + (begin - end) * (1 + math.cos(math.pi * progress)) / 2\n\n\n"
    )
    return (cosine if "cosine(" in share else "") + "\n".join(lines)


def _clip(config: RunConfig) -> str:
    norm = config.gradient_clip_norm
    return "" if norm is None else f"\n            nn.utils.clip_grad_norm_(network.parameters(), {norm!r})"


def _early_stopping(config: RunConfig) -> str:
    stopping = config.early_stopping
    if stopping is None:
        return ""
    sign = "-" if stopping.monitor.endswith("accuracy") else ""
    return (
        f"\n        watched = {sign}{stopping.monitor}"
        f"\n        if watched < best - {stopping.min_delta!r}:"
        "\n            best, waited, kept = watched, 0, {name: value.clone() for name, value in network.state_dict().items()}"
        "\n        else:"
        "\n            waited += 1"
        f"\n        if waited >= {stopping.patience}:"
        '\n            print("stopped early")'
        "\n            break"
    )


def _restore(config: RunConfig) -> str:
    stopping = config.early_stopping
    return "\n    if kept is not None:\n        network.load_state_dict(kept)" if stopping is not None and stopping.restore_best else ""
