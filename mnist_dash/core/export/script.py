"""A configuration as a Python file that anyone can read and run with torch and torchvision alone.

Pure text: the file is put together from the parts that the configuration needs, some of them copied from this package. Random numbers are
drawn as the engine draws them, so that a training follows the run's as far as rounding lets it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mnist_dash.core.config import seeds
from mnist_dash.core.config.changes import has_dropout
from mnist_dash.core.config.layers import (
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
from mnist_dash.core.config.run_config import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    ConstantSchedule,
    Lion,
    NAdam,
    Optimizer,
    RMSprop,
    RunConfig,
)
from mnist_dash.core.data import hog, splits
from mnist_dash.core.export.script_changes import (
    batch_sizes_code,
    changes_in_words,
    epsilon_lines,
    optimizers_code,
    phases,
    rates_code,
    settle_code,
    share_lines,
    varies_batch_size,
    varies_dropout,
    varies_optimizer,
)
from mnist_dash.core.export.script_parts import (
    AUGMENTATION,
    BUILD,
    CARRY,
    COSINE,
    DRAWS,
    DROPOUT,
    EVALUATE,
    FEATURES,
    HEAD,
    LION,
    LOSSES,
    MAIN,
    NO_SCALING,
    SCALINGS,
    SPLITS,
    TRAIN,
    TRUNCATED,
)

_CORE = Path(__file__).parents[1]
"""The folder whose sources are copied."""
_ACTIVATIONS = {
    "relu": "nn.ReLU()",
    "elu": "nn.ELU()",
    "gelu": "nn.GELU()",
    "silu": "nn.SiLU()",
    "leaky_relu": "nn.LeakyReLU()",
    "tanh": "nn.Tanh()",
    "sigmoid": "nn.Sigmoid()",
}
_NEVER_0 = "max(rate(step), 1e-30)"
_DATASETS = {
    "mnist": "datasets.MNIST(root, train=train, download=True)",
    "fashion_mnist": "datasets.FashionMNIST(root, train=train, download=True)",
    "kmnist": "datasets.KMNIST(root, train=train, download=True)",
    "qmnist": "datasets.QMNIST(root, train=train, download=True)",
    "emnist_digits": 'datasets.EMNIST(root, split="digits", train=train, download=True)',
}


@dataclass(frozen=True)
class Section:
    """One part of a script: a cell of a notebook."""

    title: str
    text: str
    """What it does, a sentence or two of Markdown."""
    code: str


def training_script(config: RunConfig, *, precision: str | None = None) -> str:
    """Write a training script that needs nothing but torch and torchvision, which brings numpy.

    Args:
        config: what to train; everything in it is written out.
        precision: what a run of it was computed in, where the configuration leaves that to the machine.
    """
    return "\n\n\n".join(section.code for section in [*script_sections(config, precision=precision), Section("", "", MAIN)]) + "\n"


def script_sections(config: RunConfig, *, precision: str | None = None) -> list[Section]:
    """Write the parts of a training script, all but what reads the command line; see `training_script`."""
    autocast = "bfloat16" in (config.precision, precision)
    of_dropout = has_dropout(config) and (
        varies_dropout(config) or any(isinstance(layer, Dropout) and layer.rate for layer in config.layers)
    )
    parts = {
        ("Libraries", "torch, torchvision and numpy; MNIST Dash itself is not needed."): [
            HEAD.format(dataset=config.dataset, hash=config.hash)
        ],
        ("Settings", f"Configuration `{config.hash}`, seed {config.seed}, and where random numbers come from.{changes_in_words(config)}"): [
            _constants(config),
            batch_sizes_code(config) if varies_batch_size(config) else "",
            inspect.getsource(seeds.stream_seed),
            DRAWS,
        ],
        ("Data", _about_data(config)): [
            _features(config),
            _load(config),
            _split(config),
            SCALINGS[config.scaling] if config.features == "pixels" else NO_SCALING,
        ],
        ("Network", f"{len(config.layers)} layers, {config.n_parameters:,} parameters; the last layer gives logits."): [
            _of_dropout() if of_dropout else "",
            _build(config),
            TRUNCATED if "fill_truncated" in _initialise(config) else "",
            _initialise(config),
        ],
        ("Loss and optimizer", "By the definitions of Keras 2."): [
            LOSSES["clipped" if config.probability_clip else "plain"].format(clip=config.probability_clip),
            _penalty(config),
            LION if any(isinstance(phase.settings.optimizer, Lion) for phase in phases(config)) else "",
            _optimizers(config),
            _rate(config),
            CARRY if _carries_velocity(config) else "",
        ],
        ("Training", "One pass over the training part an epoch, and what is measured after it."): [
            _augmentation(config),
            settle_code(config),
            EVALUATE.format(autocast=autocast),
            _train(config, autocast=autocast, of_dropout=of_dropout),
        ],
    }
    return [Section(*about, "\n\n\n".join(text.strip("\n") for text in texts if text)) for about, texts in parts.items()]


def _train(config: RunConfig, *, autocast: bool, of_dropout: bool) -> str:
    augmented = config.augmentation is not None
    return TRAIN.format(
        seed="".join(
            f'\n        {source}.manual_seed(stream_seed(SEED, "{stream}", epoch))'
            for source, stream, used in (("Dropout.source", "dropout", of_dropout), ("CHANGES", "augmentation", augmented))
            if used
        ),
        augment="\n            batch = augment(batch.view(-1, 784), Augmentation(), generator=CHANGES).view(-1, 1, 28, 28)"
        if augmented
        else "",
        arrange=".view(-1, 28, 28, 1).permute(0, 3, 1, 2)" if config.features == "pixels" else "",
        settle="\n        optimizer = settle(epoch, network, optimizer)" if settle_code(config) else "",
        batch_size="batch_size(epoch)" if varies_batch_size(config) else "BATCH_SIZE",
        carry=f"\n            carry(optimizer, {_NEVER_0})" if _carries_velocity(config) else "",
        rate=_NEVER_0 if _carries_velocity(config) else "rate(step)",
        epsilon=epsilon_lines(config),
        clip=_clip(config),
        smoothing=config.label_smoothing,
        keep_best=_early_stopping(config),
        restore=_restore(config),
        autocast=autocast,
    )


def network_code(config: RunConfig) -> str:
    """Write the function ``build()`` alone, for those who load weights and do not train: dropout is torch's own there."""
    return _build(config).replace(" Dropout(", " nn.Dropout(")


def _build(config: RunConfig) -> str:
    return BUILD.format(modules="\n".join(f"        {line}" for line in _network(config)))


def _about_data(config: RunConfig) -> str:
    inputs = "pixels" if config.features == "pixels" else "histograms of oriented gradients"
    leak = (
        " **The test set is validated on, a leak:** choices made on these figures are choices made on it." if config.leaks_test_set else ""
    )
    return f"{config.dataset} as {inputs}: {config.n_training:,} images to train on, {config.n_validation:,} to validate on.{leak}"


def _constants(config: RunConfig) -> str:
    device = {"auto": '"cuda" if torch.cuda.is_available() else "cpu"', "cpu": '"cpu"', "cuda": '"cuda"'}[config.device]
    size = "" if varies_batch_size(config) else f"BATCH_SIZE = {config.batch_size}\n"
    most = max(phase.settings.steps_per_epoch for phase in phases(config))
    return f"SEED = {config.seed}\nEPOCHS = {config.epochs}\n{size}STEPS_PER_EPOCH = {most}\nDEVICE = torch.device({device})"


def _features(config: RunConfig) -> str:
    """Copy the definition of the features from this package."""
    if config.features == "pixels":
        return ""
    source = inspect.getsource(hog)
    return FEATURES + source[source.index("N_ORIENTATIONS") :]


def _split(config: RunConfig) -> str:
    """Copy how the training archive is divided."""
    kind = config.split.kind
    drawn = inspect.getsource(splits.stratified).replace("npt.NDArray[np.int64]", "np.ndarray").replace("Indices", "np.ndarray")
    text = SPLITS[kind].format(n=config.n_validation, seed=getattr(config.split, "seed", 0))
    return f"{drawn}\n\n{text}" if kind == "stratified" else text


def _of_dropout() -> str:
    # Read as text: importing the module would load torch.
    source = (_CORE / "network" / "dropout.py").read_text(encoding="utf-8")
    return source[source.index("class Dropout:") :].replace("class Dropout:", "class BytesDropout:") + "\n\n" + DROPOUT


def _augmentation(config: RunConfig) -> str:
    if config.augmentation is None:
        return ""
    source = (_CORE / "data" / "augmentation.py").read_text(encoding="utf-8")
    changes = source[source.index("SIDE = ") :].replace("functional.grid_sample", "F.grid_sample")
    limits = AUGMENTATION.format(**config.augmentation.model_dump())
    return f"from typing import NamedTuple\n\nCHANGES = torch.Generator(DEVICE)\n\n\n{limits}\n\n\n{changes}"


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


def _network(config: RunConfig) -> Iterator[str]:
    for layer, planned in zip(config.layers, config.plan, strict=True):
        modules = list(_modules(layer, planned, varied=varies_dropout(config)))
        for module in modules:
            shape = f"  # {format_shape(planned.output_shape)}" if module is modules[-1] else ""
            yield f"{module},{shape}"


def _modules(layer: Layer, planned: LayerPlan, *, varied: bool) -> Iterator[str]:
    inputs = planned.input_shape
    match layer:
        case Conv():
            yield from _conv(layer, planned)
        case MaxPool() | AvgPool():
            kind = "MaxPool2d" if isinstance(layer, MaxPool) else "AvgPool2d"
            yield f"nn.{kind}({layer.size}, stride={layer.stride or layer.size})"
        case Dropout():
            yield f"{'Dropout' if layer.rate or varied else 'nn.Dropout'}({layer.rate!r})"
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
        "@torch.no_grad()",
        "def initialise(network: nn.Sequential) -> None:",
        '    """Give every layer its first weights, by the definitions of Keras."""',
        '    generator = draws("weights")',
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
            return f"{tensor}.normal_(0, {initializer.std!r}, generator=generator)"
        case TruncatedNormal():
            return f"fill_truncated({tensor}, {initializer.std!r}, generator)"
        case Constant():
            return f"{tensor}.fill_({initializer.value!r})"
    if initializer.kind == "zeros":
        return f"{tensor}.zero_()"
    scheme, law = initializer.kind.split("_")
    inputs, outputs = (f"{tensor}.numel()",) * 2 if is_bias else (f"{tensor}[0].numel()", f"{tensor}.numel() // {tensor}.shape[1]")
    fans = f"({inputs} + {outputs})" if scheme == "glorot" else inputs
    if law == "uniform":
        return f"limit = math.sqrt(6 / {fans}); {tensor}.uniform_(-limit, limit, generator=generator)"
    return f"fill_truncated({tensor}, math.sqrt(2 / {fans}) / 0.87962566103423978, generator)"


def _penalty(config: RunConfig) -> str:
    terms = [f"{layer.l2!r} * layers[{index}].weight.square().sum()" for index, layer in enumerate(_trained(config)) if layer.l2]
    layers = "    layers = [layer for layer in network if isinstance(layer, (nn.Conv2d, nn.Linear))]\n" if terms else ""
    return (
        "def penalty(network: nn.Sequential) -> torch.Tensor | float:\n"
        f'    """Add up what L2 adds to the loss."""\n{layers}    return {" + ".join(terms) or "0.0"}'
    )


def _optimizers(config: RunConfig) -> str:
    if varies_optimizer(config):
        return optimizers_code([(phase.begin, _optimizer(phase.settings.optimizer)) for phase in phases(config)])
    call = _optimizer(config.optimizer)
    return f'def make_optimizer(parameters) -> torch.optim.Optimizer:\n    """Make the optimizer."""\n    return {call}'


def _optimizer(spec: Optimizer) -> str:
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
    return call


def _carries_velocity(config: RunConfig) -> bool:
    """Say whether there is a velocity while the rate changes."""
    optimizers = [phase.settings.optimizer for phase in phases(config)]
    varies = (
        bool(config.changes) or config.schedule != ConstantSchedule() or any(getattr(optimizer, "decay", 0) for optimizer in optimizers)
    )
    return varies and any(isinstance(optimizer, SGD | RMSprop) and optimizer.momentum for optimizer in optimizers)


def _rate(config: RunConfig) -> str:
    if config.changes:
        return rates_code(config, COSINE)
    schedule, optimizer = config.schedule, config.optimizer
    share = share_lines(schedule, position="step", stride="STEPS_PER_EPOCH", last="last")
    lines = ["def rate(step: int) -> float:", '    """Give the learning rate of one step, counted from 0."""']
    if "last" in share:
        lines.append("    last = max(EPOCHS * STEPS_PER_EPOCH - 1, 1)")
    lines.append(share)
    if schedule.warmup_steps:
        lines.append(f"    share *= min(1.0, (step + 1) / {schedule.warmup_steps + 1})")
    decay = f" / (1 + {optimizer.decay!r} * step)" if isinstance(optimizer, SGD) and optimizer.decay else ""
    lines.append(f"    return {optimizer.learning_rate!r} * share{decay}")
    return (COSINE if "cosine(" in share else "") + "\n".join(lines)


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
