"""What a training script says of settings that change while it trains: rates, batch sizes, dropout, optimizers. Pure text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mnist_dash.core.config.changes import cycle, describe, optimizer_begin
from mnist_dash.core.config.run_config import RunConfig

_PHASES = '''class Phase(NamedTuple):
    """What the learning rate follows from one update on."""

    first: int  # the update, from 0
    rate: float  # the optimizer's own, which the schedule scales
    done: int  # updates of the schedule done before
    stride: int  # updates an epoch, as the schedule counts them
    steps: int  # updates an epoch
    last: int  # last update of the schedule
    cycle: int  # the update with which the schedule began
    optimizer: int  # the update with which the optimizer began
    decay: float  # of SGD


PHASES = [
{phases}
]'''

_RATE = '''def rate(step: int) -> float:
    """Give the learning rate of one step, counted from 0."""
    phase = next(phase for phase in reversed(PHASES) if phase.first <= step)
    position = phase.done + (step - phase.first) * phase.stride / phase.steps
{share}
    if step - phase.cycle < {warmup}:
        share *= (step - phase.cycle + 1) / ({warmup} + 1)
    return phase.rate * share / (1 + phase.decay * (step - phase.optimizer))'''

_SIZES = '''def batch_size(epoch: int) -> int:
    """Give the images an update of an epoch sees."""
    return next(size for first, size in reversed({sizes}) if first <= epoch)'''

_SETTLE = '''def settle(epoch: int, network: nn.Sequential, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Pass to the settings of an epoch: what was learned stays, and an optimizer of the same kind keeps its state."""
{changes}
    return optimizer'''

_DROP = """
        for layer in network:
            if isinstance(layer, Dropout):
                layer.drop = BytesDropout({rate!r}, Dropout.source)"""
_FRESH = """
        optimizer = make_optimizer(network.parameters(), epoch)"""
_KEPT = """
        former, optimizer = optimizer, make_optimizer(network.parameters(), epoch)
        optimizer.state.update(former.state)
        optimizer.param_groups[0]["lr"] = former.param_groups[0]["lr"]"""


@dataclass(frozen=True)
class Phase:
    """Epochs of equal settings."""

    begin: int
    """Finished epochs before it."""
    settings: RunConfig


def phases(config: RunConfig) -> list[Phase]:
    """List the epochs of equal settings, in their order; a configuration without changes has one."""
    return [
        Phase(begin, config.at(begin + 1))
        for begin in (0, *(change.after_epoch for change in config.changes))
    ]


def varies_dropout(config: RunConfig) -> bool:
    """Say whether the rate of dropout layers changes."""
    return any(change.dropout_rate is not None for change in config.changes)


def varies_batch_size(config: RunConfig) -> bool:
    """Say whether updates come to see more images or fewer."""
    return any(change.batch_size is not None for change in config.changes)


def varies_optimizer(config: RunConfig) -> bool:
    """Say whether the optimizer or its options change, but for the learning rate."""
    return any(change.optimizer is not None for change in config.changes)


def changes_in_words(config: RunConfig) -> str:
    """Say what changes when, as one Markdown sentence a change."""
    return "".join(
        f" After epoch {change.after_epoch}: {describe(config, change)}."
        for change in config.changes
    )


def rates_code(config: RunConfig) -> str:
    """Write ``rate(step)`` of a configuration that has changes, and what it needs."""
    share = config.schedule.script_share("position", "phase.stride", "phase.last")
    listed = "\n".join(
        f"    Phase({', '.join(f'{name}={value!r}' for name, value in _numbers(config, phase))}),"
        for phase in phases(config)
    )
    needed = config.schedule.script_definitions()
    rate = _RATE.format(share=share, warmup=config.schedule.warmup_steps)
    return "\n\n\n".join(
        filter(None, ("from typing import NamedTuple", _PHASES.format(phases=listed), needed, rate))
    )


def _numbers(config: RunConfig, phase: Phase) -> Iterator[tuple[str, float]]:
    epoch, now = phase.begin + 1, phase.settings
    began = cycle(config, epoch)
    stride = config.at(began.begin + 1).steps_per_epoch
    yield "first", config.steps_until(phase.begin)
    yield "rate", now.optimizer.learning_rate
    yield "done", (phase.begin - began.begin) * stride
    yield "stride", stride
    yield "steps", now.steps_per_epoch
    yield "last", max((began.end - began.begin) * stride - 1, 1)
    yield "cycle", config.steps_until(began.begin)
    yield "optimizer", config.steps_until(optimizer_begin(config, epoch))
    yield "decay", now.optimizer.rate_decay


def batch_sizes_code(config: RunConfig) -> str:
    """Write ``batch_size(epoch)``."""
    found = [(phase.begin + 1, phase.settings.batch_size) for phase in phases(config)]
    return _SIZES.format(
        sizes=[
            pair for place, pair in enumerate(found) if place == 0 or pair[1] != found[place - 1][1]
        ]
    )


def optimizers_code(calls: Sequence[tuple[int, str]]) -> str:
    """Write ``make_optimizer(parameters, epoch)``.

    Args:
        calls: finished epochs before it is made, and the call that makes it; the first one first.
    """
    later = "".join(
        f"    if epoch > {begin}:\n        return {call}\n" for begin, call in reversed(calls[1:])
    )
    return (
        "def make_optimizer(parameters, epoch: int = 1) -> torch.optim.Optimizer:\n"
        f'    """Make the optimizer of an epoch."""\n{later}    return {calls[0][1]}'
    )


def settle_code(config: RunConfig) -> str:
    """Write ``settle(epoch, network, optimizer)``; empty where nothing changes but rates and batch sizes."""
    blocks = []
    for change in config.changes:
        before, after = (
            config.at(change.after_epoch).optimizer,
            config.at(change.after_epoch + 1).optimizer,
        )
        block = "" if change.dropout_rate is None else _DROP.format(rate=change.dropout_rate)
        if change.optimizer is not None:
            block += (
                _KEPT + after.script_kept_state(before) if before.kind == after.kind else _FRESH
            )
        if block:
            blocks.append(f"    if epoch == {change.after_epoch + 1}:{block}")
    return _SETTLE.format(changes="\n".join(blocks)) if blocks else ""


def step_lines(config: RunConfig) -> str:
    """Write what optimizers set before each update, with their own count of updates."""
    lines = []
    found = phases(config)
    ends = [*(phase.begin for phase in found[1:]), config.epochs]
    for phase, end in zip(found, ends, strict=True):
        first = config.steps_until(optimizer_begin(config, phase.begin + 1))
        line = phase.settings.optimizer.script_step_line(
            f"step - {first} + 1" if first else "step + 1"
        )
        if line:
            lines.append((phase.begin, end, line))
    if len({line for *_, line in lines}) == 1 and len(lines) == len(found):
        return f"\n                {lines[0][2]}"
    return "".join(
        f"\n                if {begin} < epoch <= {end}:\n                    {line}"
        for begin, end, line in lines
    )
