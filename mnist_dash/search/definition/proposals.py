"""What can be explored around a configuration, and over which ranges one would begin.

A range lies around the base's own value and contains it: learning rates a decade either way, batch sizes and widths in powers of two.
`propose` gives a space that passes `mnist_dash.search.definition.space_rules.check_space`, whichever of the settings are chosen
and in whatever order.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.kinds.controls import SearchRange
from mnist_dash.core.layers import BatchNorm, Conv, Dense, Dropout
from mnist_dash.core.optimizers import OPTIMIZERS
from mnist_dash.core.scalings import SCALINGS
from mnist_dash.errors import InvalidConfig
from mnist_dash.search.definition.network_shape import MAX_BLOCKS, is_shape_setting, shaped_layers
from mnist_dash.search.definition.space import (
    Choice,
    Condition,
    FloatRange,
    IntRange,
    Parameter,
    Scalar,
    SearchSpace,
)
from mnist_dash.search.definition.space_rules import check_space

Group = Literal["optimizer", "training", "network", "data"]
GROUPS: tuple[Group, ...] = ("optimizer", "training", "network", "data")
_KIND = "optimizer.kind"
_COUNTS = {"conv": "conv.n_layers", "dense": "dense.n_layers"}
_HIGHEST_RATE = 100.0
_LEAST_NESTEROV = 0.5
"""Momentum of Nesterov's step, which needs some."""
_LARGEST_BATCH_SHARE = 0.5
"""Of the training part, at most a batch that is proposed."""


@dataclass(frozen=True)
class Proposal:
    """A setting that can be explored, and a range to begin with."""

    title: str
    group: Group
    parameter: Parameter
    requires: tuple[str, ...] = ()
    """Settings that must be explored too, because the base has nothing that this one could change."""

    @property
    def path(self) -> str:
        """The setting."""
        return self.parameter.path


@lru_cache(maxsize=64)
def proposals(base: RunConfig) -> tuple[Proposal, ...]:
    """List what can be explored around a configuration, group by group; what others depend on comes before them."""
    found = (*_optimizer(base), *_training(base), *_network(base), *_data(base))
    return tuple(proposal for proposal in found if _is_possible(base, proposal, found))


def propose(base: RunConfig, paths: Collection[str]) -> tuple[Parameter, ...]:
    """Give each of some settings a range, together a space that can be searched.

    Args:
        base: the configuration to explore around.
        paths: settings of `proposals`, in any order; others are left out, and so are those that lack what they require.

    Returns:
        In the order of `proposals`, with the conditions that they need of one another.
    """
    chosen: list[Proposal] = []
    for proposal in proposals(base):
        if proposal.path in paths and set(proposal.requires) <= {other.path for other in chosen}:
            chosen.append(proposal)
    explored: dict[str, Parameter] = {}
    for proposal in chosen:
        parameter = _as_rate_of_all(proposal.parameter, base, explored)
        explored[proposal.path] = parameter.model_copy(
            update={"when": conditions(proposal.path, explored)}
        )
    return _small_enough(base, tuple(explored.values()))


def conditions(path: str, explored: Mapping[str, Parameter]) -> tuple[Condition, ...]:
    """Name the kinds of optimizer that have a setting, where only some of those that are explored do."""
    kind = explored.get(_KIND)
    part, _, leaf = path.rpartition(".")
    if part != "optimizer" or leaf == "kind" or not isinstance(kind, Choice):
        return ()
    fitting = kinds_with(leaf, kind.values)
    return () if len(fitting) == len(kind.values) else (Condition(path=_KIND, values=fitting),)


def kinds_with(field: str, kinds: Collection[Scalar]) -> tuple[Scalar, ...]:
    """Choose, of some kinds of optimizer, those that have a field."""
    return tuple(
        kind
        for kind in kinds
        if str(kind) in OPTIMIZERS and field in OPTIMIZERS[str(kind)].model_fields
    )


def reshaped(base: RunConfig, paths: Collection[str]) -> RunConfig | None:
    """Build the network that a search around the base begins with, where exploring its shape makes another one of it; None elsewhere."""
    if not any(is_shape_setting(path) for path in paths):
        return None
    try:
        built = RunConfig.model_validate(
            base.model_dump(mode="json") | {"layers": list(shaped_layers(base, {}))}
        )
    except ValueError:
        return None
    return None if built.layers == base.layers else built


def listed(parameter: Parameter, n: int = 5) -> tuple[Scalar, ...]:
    """Choose values of a range for a grid: its steps where there are few, or else `n` evenly apart, by logarithms where those count."""
    if isinstance(parameter, Choice):
        return parameter.values
    if parameter.n_values is not None and parameter.n_values <= n:
        return parameter.all_values()
    if not parameter.high > parameter.low or (parameter.log and parameter.low <= 0):
        return (parameter.low,)
    values = []
    for index in range(n):
        share = index / (n - 1)
        if parameter.log:
            value = math.exp(
                math.log(parameter.low)
                + share * (math.log(parameter.high) - math.log(parameter.low))
            )
        else:
            value = parameter.low + share * (parameter.high - parameter.low)
        values.append(
            round(value)
            if isinstance(parameter, IntRange)
            else min(parameter.high, max(parameter.low, _round(value, 2)))
        )
    return tuple(dict.fromkeys(values))


# the groups


def _optimizer(base: RunConfig) -> Iterator[Proposal]:
    own = base.optimizer
    kinds = tuple(dict.fromkeys((own.kind, "sgd", "adam", "rmsprop")))
    yield Proposal("Optimizer", "optimizer", Choice(path=_KIND, values=kinds))
    low, high = _rates(own.learning_rate)
    yield Proposal(
        "Learning rate",
        "optimizer",
        FloatRange(path="optimizer.learning_rate", low=low, high=high, log=True),
    )
    controls = {
        control.field: control
        for kind in OPTIMIZERS.values()
        for control in kind.controls
        if control.search is not None
    }
    for leaf, control in controls.items():
        if control.search is not None and kinds_with(leaf, kinds):
            parameter = _around(f"optimizer.{leaf}", getattr(own, leaf, None), control.search)
            if leaf == "momentum" and getattr(own, "nesterov", False):
                parameter = parameter.model_copy(
                    update={"low": min(_LEAST_NESTEROV, getattr(own, leaf))}
                )
            yield Proposal(
                control.label,
                "optimizer",
                parameter,
                () if leaf in type(own).model_fields else (_KIND,),
            )


def _training(base: RunConfig) -> Iterator[Proposal]:
    smallest_part = _n_training(base, _fractions(base)[1])
    high = max(
        base.batch_size,
        min(_octave(4 * base.batch_size), int(_LARGEST_BATCH_SHARE * smallest_part)),
    )
    low = min(base.batch_size, max(8, _octave(base.batch_size / 4)))
    yield Proposal(
        "Batch size", "training", IntRange(path="batch_size", low=low, high=high, log=True)
    )
    epochs = IntRange(
        path="epochs", low=max(1, base.epochs // 2), high=min(10_000, 2 * base.epochs)
    )
    yield Proposal("Epochs", "training", epochs)
    schedules = tuple(dict.fromkeys((base.schedule.kind, "constant", "cosine", "one_cycle")))
    yield Proposal("Schedule", "training", Choice(path="schedule.kind", values=schedules))
    smoothing = FloatRange(path="label_smoothing", low=0.0, high=max(0.2, base.label_smoothing))
    yield Proposal("Label smoothing", "training", smoothing)
    clip = base.gradient_clip_norm
    low_clip, high_clip = min(0.1, clip or 0.1), max(10.0, clip or 10.0)
    yield Proposal(
        "Gradient clipping",
        "training",
        FloatRange(path="gradient_clip_norm", low=low_clip, high=high_clip, log=True),
    )


def _network(base: RunConfig) -> Iterator[Proposal]:
    convs = [layer for layer in base.layers if isinstance(layer, Conv)]
    dense = [layer for layer in base.layers[:-1] if isinstance(layer, Dense)]
    counted = (_COUNTS["conv"],) if len(convs) > MAX_BLOCKS["conv"] else ()
    if convs and base.features == "pixels":
        most = min(MAX_BLOCKS["conv"], max(3, len(convs)))
        yield Proposal("Convolutions", "network", IntRange(path=_COUNTS["conv"], low=1, high=most))
        filters = convs[0].filters
        low, high = (
            min(filters, max(4, _octave(filters / 4))),
            min(1024, max(filters, _octave(2 * filters))),
        )
        yield Proposal(
            "Filters",
            "network",
            IntRange(path="conv.filters", low=low, high=high, log=True),
            counted,
        )
        kernels = tuple(sorted({3, 5, *((convs[0].kernel,) if convs[0].kernel <= 7 else ())}))
        yield Proposal("Kernel", "network", Choice(path="conv.kernel", values=kernels), counted)
        normed = any(isinstance(layer, BatchNorm) for layer in base.layers)
        yield Proposal(
            "Batch normalisation",
            "network",
            Choice(path="conv.batch_norm", values=(normed, not normed)),
            counted,
        )
    most = min(MAX_BLOCKS["dense"], max(3, len(dense) + 1))
    yield Proposal(
        "Dense layers", "network", IntRange(path=_COUNTS["dense"], low=1, high=most), counted
    )
    requires = (*counted, *(() if dense else (_COUNTS["dense"],)))
    units = dense[0].units if dense else Dense().units
    low, high = (
        min(units, max(8, _octave(units / 8))),
        min(8192, max(units, 128, _octave(2 * units))),
    )
    yield Proposal(
        "Units", "network", IntRange(path="dense.units", low=low, high=high, log=True), requires
    )
    rates = [layer.rate for layer in base.layers if isinstance(layer, Dropout)]
    yield Proposal(
        "Dropout",
        "network",
        FloatRange(path="dense.dropout", low=0.0, high=max(0.6, *rates, 0.0)),
        requires,
    )
    activations = tuple(
        dict.fromkeys((dense[0].activation if dense else "relu", "relu", "gelu", "tanh"))
    )
    yield Proposal(
        "Activation", "network", Choice(path="dense.activation", values=activations), requires
    )


def _data(base: RunConfig) -> Iterator[Proposal]:
    if base.features == "pixels":
        scalings = tuple(dict.fromkeys((base.scaling, *SCALINGS)))
        yield Proposal("Scaling", "data", Choice(path="scaling", values=scalings))
    low, high = _fractions(base)
    if high > low:
        yield Proposal(
            "Validation fraction", "data", FloatRange(path="split.fraction", low=low, high=high)
        )
    if base.features != "pixels":
        return
    own = base.augmentation
    for title, leaf, usual in (
        ("Shift", "shift", 0.2),
        ("Rotation", "rotation", 20.0),
        ("Zoom", "scale", 0.2),
        ("Elastic distortion", "elastic", 40.0),
    ):
        most = max(usual, getattr(own, leaf) if own is not None else 0.0)
        yield Proposal(title, "data", FloatRange(path=f"augmentation.{leaf}", low=0.0, high=most))


# ranges


def _rates(rate: float) -> tuple[float, float]:
    """Give the bounds of a learning rate: a decade either way, but above 1 only as far as twice the base's own."""
    high = min(10 * rate, max(1.0, 2 * rate), _HIGHEST_RATE)
    return min(rate, _round(rate / 10, 1)), max(rate, _round(high, 1))


def _as_rate_of_all(
    parameter: Parameter, base: RunConfig, explored: Mapping[str, Parameter]
) -> Parameter:
    """Widen a learning rate to what all optimizers that are explored usually train with."""
    kind = explored.get(_KIND)
    if (
        parameter.path != "optimizer.learning_rate"
        or not isinstance(kind, Choice)
        or not isinstance(parameter, FloatRange)
    ):
        return parameter
    usual = [
        float(OPTIMIZERS[str(each)].model_fields["learning_rate"].default) for each in kind.values
    ]
    bounds = [bound for rate in (base.optimizer.learning_rate, *usual) for bound in _rates(rate)]
    return parameter.model_copy(update={"low": min(bounds), "high": max(bounds)})


def _around(path: str, value: float | None, usual: SearchRange) -> FloatRange:
    """Widen a kind's own range to a value; a value of 0 has no place on a logarithmic one."""
    known = usual.low if value is None or (usual.log and value == 0) else value
    return FloatRange(
        path=path, low=min(usual.low, known), high=max(usual.high, known), log=usual.log
    )


def _fractions(base: RunConfig) -> tuple[float, float]:
    """Give the shares held back that leave at least the base's batch for training; equal where there is no room."""
    own = getattr(base.split, "fraction", None)
    if own is None:
        return 0.0, 0.0
    total = base.n_training + base.n_validation
    high = max(own, min(0.5, math.floor(100 * (1 - base.batch_size / total)) / 100))
    return min(own, 0.05), high


def _n_training(base: RunConfig, fraction: float) -> int:
    return min(
        base.n_training, math.floor((base.n_training + base.n_validation) * (1 - fraction) + 1e-6)
    )


def _octave(value: float) -> int:
    """Round to the nearest power of two, at least 1."""
    return 1 << max(0, round(math.log2(max(value, 1.0))))


def _round(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


# what goes together


def _is_possible(base: RunConfig, proposal: Proposal, found: Collection[Proposal]) -> bool:
    """Say whether a setting can be explored, beside what it requires."""
    needed = [other for other in found if other.path in proposal.requires]
    if len(needed) < len(proposal.requires):
        return False
    explored: dict[str, Parameter] = {}
    for each in (*needed, proposal):
        explored[each.path] = each.parameter.model_copy(
            update={"when": conditions(each.path, explored)}
        )
    parameters = _small_enough(base, tuple(explored.values()))
    return not check_space(SearchSpace(base=base, parameters=parameters))


def _small_enough(base: RunConfig, parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Lower the upper bounds of what makes a network larger until its largest one is allowed."""
    narrowed = list(parameters)
    shaping = [
        index
        for index, each in enumerate(parameters)
        if is_shape_setting(each.path) and isinstance(each, IntRange)
    ]
    while shaping and not _is_allowed(
        base, {each.path: _largest(each) for each in narrowed if is_shape_setting(each.path)}
    ):
        index = max(shaping, key=lambda index: _ratio(narrowed[index]))
        parameter = narrowed[index]
        if not isinstance(parameter, IntRange) or parameter.high <= parameter.low:
            break
        high = (
            parameter.high - 1
            if parameter.path in _COUNTS.values()
            else max(parameter.low, parameter.high // 2)
        )
        narrowed[index] = parameter.model_copy(update={"high": high})
    return tuple(narrowed)


def _ratio(parameter: Parameter) -> float:
    return parameter.high / max(parameter.low, 1) if isinstance(parameter, IntRange) else 0.0


def _largest(parameter: Parameter) -> Scalar:
    if isinstance(parameter, Choice):
        return max(parameter.values, key=lambda value: value if isinstance(value, int) else 0)
    return parameter.high


def _is_allowed(base: RunConfig, shape: Mapping[str, Any]) -> bool:
    try:
        SearchSpace(base=base, parameters=(Choice(path="epochs", values=(1,)),)).configure(shape)
    except InvalidConfig:
        return False
    return True
