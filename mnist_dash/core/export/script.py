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
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data import hog, splits
from mnist_dash.core.export.script_changes import (
    batch_sizes_code,
    changes_in_words,
    optimizers_code,
    phases,
    rates_code,
    settle_code,
    step_lines,
    varies_batch_size,
    varies_dropout,
    varies_optimizer,
)
from mnist_dash.core.export.script_parts import (
    AUGMENTATION,
    BUILD,
    CARRY,
    DRAWS,
    EVALUATE,
    FEATURES,
    HEAD,
    LOSSES,
    MAIN,
    NO_SCALING,
    SPLITS,
    TRAIN,
    TRUNCATED,
)
from mnist_dash.core.layers import Dropout, LayerKind, format_shape
from mnist_dash.core.scalings import SCALINGS
from mnist_dash.core.schedules import ConstantSchedule
from mnist_dash.text import plural

_CORE = Path(__file__).parents[1]
"""The folder whose sources are copied."""
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
    return (
        "\n\n\n".join(
            section.code
            for section in [*script_sections(config, precision=precision), Section("", "", MAIN)]
        )
        + "\n"
    )


def script_sections(config: RunConfig, *, precision: str | None = None) -> list[Section]:
    """Write the parts of a training script, all but what reads the command line; see `training_script`."""
    autocast = "bfloat16" in (config.precision, precision)
    of_dropout = has_dropout(config) and (
        varies_dropout(config)
        or any(isinstance(layer, Dropout) and layer.rate for layer in config.layers)
    )
    parts = {
        ("Libraries", "torch, torchvision and numpy; MNIST Dash itself is not needed."): [
            HEAD.format(dataset=config.dataset, hash=config.hash)
        ],
        (
            "Settings",
            f"Configuration `{config.hash}`, seed {config.seed}, and where random numbers come from.{changes_in_words(config)}",
        ): [
            _constants(config),
            batch_sizes_code(config) if varies_batch_size(config) else "",
            inspect.getsource(seeds.stream_seed),
            DRAWS,
        ],
        ("Data", _about_data(config)): [
            _features(config),
            _load(config),
            _split(config),
            SCALINGS[config.scaling].script if config.features == "pixels" else NO_SCALING,
        ],
        (
            "Network",
            f"{plural(len(config.layers), 'layer')}, {config.n_parameters:,} parameters; the last layer gives logits.",
        ): [
            *dict.fromkeys(
                layer.script_definitions(varied=varies_dropout(config)) for layer in config.layers
            ),
            _build(config),
            TRUNCATED if "fill_truncated" in _initialise(config) else "",
            _initialise(config),
        ],
        ("Loss and optimizer", "By the definitions of Keras 2."): [
            LOSSES["clipped" if config.probability_clip else "plain"].format(
                clip=config.probability_clip
            ),
            _penalty(config),
            *dict.fromkeys(
                phase.settings.optimizer.script_definitions() for phase in phases(config)
            ),
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
    return [
        Section(*about, "\n\n\n".join(text.strip("\n") for text in texts if text))
        for about, texts in parts.items()
    ]


def _train(config: RunConfig, *, autocast: bool, of_dropout: bool) -> str:
    augmented = config.augmentation is not None
    return TRAIN.format(
        seed="".join(
            f'\n        {source}.manual_seed(stream_seed(SEED, "{stream}", epoch))'
            for source, stream, used in (
                ("Dropout.source", "dropout", of_dropout),
                ("CHANGES", "augmentation", augmented),
            )
            if used
        ),
        augment="\n            batch = augment(batch.view(-1, 784), Augmentation(), generator=CHANGES).view(-1, 1, 28, 28)"
        if augmented
        else "",
        arrange=".view(-1, 28, 28, 1).permute(0, 3, 1, 2)" if config.features == "pixels" else "",
        settle="\n        optimizer = settle(epoch, network, optimizer)"
        if settle_code(config)
        else "",
        batch_size="batch_size(epoch)" if varies_batch_size(config) else "BATCH_SIZE",
        carry=f"\n            carry(optimizer, {_NEVER_0})" if _carries_velocity(config) else "",
        rate=_NEVER_0 if _carries_velocity(config) else "rate(step)",
        epsilon=step_lines(config),
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
        " **The test set is validated on, a leak:** choices made on these figures are choices made on it."
        if config.leaks_test_set
        else ""
    )
    return f"{config.dataset} as {inputs}: {config.n_training:,} images to train on, {config.n_validation:,} to validate on.{leak}"


def _constants(config: RunConfig) -> str:
    device = {
        "auto": '"cuda" if torch.cuda.is_available() else "cpu"',
        "cpu": '"cpu"',
        "cuda": '"cuda"',
    }[config.device]
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
    drawn = (
        inspect.getsource(splits.stratified)
        .replace("npt.NDArray[np.int64]", "np.ndarray")
        .replace("Indices", "np.ndarray")
    )
    text = SPLITS[kind].format(n=config.n_validation, seed=getattr(config.split, "seed", 0))
    return f"{drawn}\n\n{text}" if kind == "stratified" else text


def _augmentation(config: RunConfig) -> str:
    if config.augmentation is None:
        return ""
    source = (_CORE / "data" / "augmentation.py").read_text(encoding="utf-8")
    changes = source[source.index("SIDE = ") :].replace("functional.grid_sample", "F.grid_sample")
    limits = AUGMENTATION.format(**config.augmentation.model_dump())
    return f"import functools\nfrom typing import NamedTuple\n\nCHANGES = torch.Generator(DEVICE)\n\n\n{limits}\n\n\n{changes}"


def _load(config: RunConfig) -> str:
    images = "part.data.transpose(1, 2)" if config.dataset == "emnist_digits" else "part.data"
    labels = "part.targets[:, 0]" if config.dataset == "qmnist" else "part.targets"
    inputs = (
        f"{images}.unsqueeze(1).contiguous()"
        if config.features == "pixels"
        else f"torch.from_numpy(hog({images}.numpy()))"
    )
    said = "images (N, 1, 28, 28) uint8" if config.features == "pixels" else "features (N, 392)"
    return (
        "def load(root: str, train: bool) -> tuple[torch.Tensor, torch.Tensor]:\n"
        f'    """Fetch one part: {said} and labels (N,)."""\n'
        f"    part = {_DATASETS[config.dataset]}\n"
        f"    return {inputs}, {labels}.long()"
    )


def _network(config: RunConfig) -> Iterator[str]:
    for layer, planned in zip(config.layers, config.plan, strict=True):
        modules = list(layer.script_modules(planned.input_shape, varied=varies_dropout(config)))
        for module in modules:
            shape = f"  # {format_shape(planned.output_shape)}" if module is modules[-1] else ""
            yield f"{module},{shape}"


def _layers_code(config: RunConfig) -> str:
    """Write the line that finds the layers whose values are filled or penalised, numbered from the input on."""
    classes = dict.fromkeys(
        ("nn.Conv2d", "nn.Linear", *(layer.torch_class for layer in _filled(config)))
    )
    return f"    layers = [layer for layer in network if isinstance(layer, ({', '.join(classes)}))]"


def _filled(config: RunConfig) -> list[LayerKind]:
    return [layer for layer in config.layers if layer.torch_class]


def _initialise(config: RunConfig) -> str:
    lines = [
        "@torch.no_grad()",
        "def initialise(network: nn.Sequential) -> None:",
        '    """Give every layer its first weights, by the definitions of Keras."""',
        '    generator = draws("weights")',
        _layers_code(config),
    ]
    for index, layer in enumerate(_filled(config)):
        lines += [
            f"    {initial.script_fill(f'layers[{index}].{name}')}"
            for name, initial in layer.initial_values().items()
        ]
    return "\n".join(lines)


def _penalty(config: RunConfig) -> str:
    terms = [
        f"{factor!r} * layers[{index}].{name}.square().sum()"
        for index, layer in enumerate(_filled(config))
        for name, factor in layer.penalties().items()
    ]
    layers = f"{_layers_code(config)}\n" if terms else ""
    return (
        "def penalty(network: nn.Sequential) -> torch.Tensor | float:\n"
        f'    """Add up what L2 adds to the loss."""\n{layers}    return {" + ".join(terms) or "0.0"}'
    )


def _optimizers(config: RunConfig) -> str:
    if varies_optimizer(config):
        return optimizers_code(
            [(phase.begin, phase.settings.optimizer.script_call()) for phase in phases(config)]
        )
    call = config.optimizer.script_call()
    return f'def make_optimizer(parameters) -> torch.optim.Optimizer:\n    """Make the optimizer."""\n    return {call}'


def _carries_velocity(config: RunConfig) -> bool:
    """Say whether there is a velocity while the rate changes."""
    optimizers = [phase.settings.optimizer for phase in phases(config)]
    varies = (
        bool(config.changes)
        or config.schedule != ConstantSchedule()
        or any(optimizer.rate_decay for optimizer in optimizers)
    )
    return varies and any(optimizer.has_velocity for optimizer in optimizers)


def _rate(config: RunConfig) -> str:
    if config.changes:
        return rates_code(config)
    schedule, optimizer = config.schedule, config.optimizer
    share = schedule.script_share("step", "STEPS_PER_EPOCH", "last")
    lines = [
        "def rate(step: int) -> float:",
        '    """Give the learning rate of one step, counted from 0."""',
    ]
    if "last" in share:
        lines.append("    last = max(EPOCHS * STEPS_PER_EPOCH - 1, 1)")
    lines.append(share)
    if schedule.warmup_steps:
        lines.append(f"    share *= min(1.0, (step + 1) / {schedule.warmup_steps + 1})")
    decay = f" / (1 + {optimizer.rate_decay!r} * step)" if optimizer.rate_decay else ""
    lines.append(f"    return {optimizer.learning_rate!r} * share{decay}")
    return "\n\n\n".join(filter(None, (schedule.script_definitions(), "\n".join(lines))))


def _clip(config: RunConfig) -> str:
    norm = config.gradient_clip_norm
    return (
        ""
        if norm is None
        else f"\n            nn.utils.clip_grad_norm_(network.parameters(), {norm!r})"
    )


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
    return (
        "\n    if kept is not None:\n        network.load_state_dict(kept)"
        if stopping is not None and stopping.restore_best
        else ""
    )
