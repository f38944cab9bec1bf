"""How figures, times and states are written on every page."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from mnist_dash.core.config.layers import Conv, Dense
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.states import RunState

STATE_LOOK: dict[RunState, tuple[str, str]] = {
    RunState.QUEUED: (":material/schedule:", "gray"),
    RunState.RUNNING: (":material/play_circle:", "blue"),
    RunState.PAUSED: (":material/pause_circle:", "orange"),
    RunState.FINISHED: (":material/check_circle:", "green"),
    RunState.STOPPED: (":material/stop_circle:", "orange"),
    RunState.PRUNED: (":material/content_cut:", "violet"),
    RunState.DIVERGED: (":material/trending_up:", "red"),
    RunState.FAILED: (":material/error:", "red"),
}
"""Icon and colour of each state."""

LEAK = "Validated on the test set (a leak): every choice made on these figures is a choice made on the test set."
NOTHING = "–"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def duration(seconds: float | None) -> str:
    """Write a time span: ``0.4 s``, ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"
    return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE)} min"


def size(n_bytes: float) -> str:
    """Write a number of bytes: ``512 B``, ``3.4 MB``."""
    value = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def percent(fraction: float | None, digits: int = 2) -> str:
    """Write a fraction as a percentage: ``97.85 %``."""
    return NOTHING if fraction is None else f"{100 * fraction:.{digits}f} %"


def number(value: float | None) -> str:
    """Write a number as pages do, with three significant digits: ``0.00043``, ``2.3``, ``1e-7``, ``12,345``."""
    if value is None:
        return NOTHING
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e+")


def moment(time: datetime | float) -> str:
    """Write a time in UTC and say so: ``2026-03-01 17:41 UTC``; a number is seconds since 1970."""
    known = datetime.fromtimestamp(time, UTC) if isinstance(time, int | float) else time.astimezone(UTC)
    return f"{known:%Y-%m-%d %H:%M} UTC"


def ago(time: datetime, *, now: datetime | None = None) -> str:
    """Say how long ago something was: ``just now``, ``5 min ago``, ``3 days ago``."""
    seconds = ((now or datetime.now(UTC)) - time).total_seconds()
    if seconds < 10:
        return "just now"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s ago"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min ago"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h ago"
    n_days = int(seconds // _DAY)
    return f"{n_days} day{'s' if n_days > 1 else ''} ago"


def counted(n: int, noun: str) -> str:
    """Write a number of things: ``1 epoch``, ``5 epochs``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def plain(text: str) -> str:
    """Write what a person typed so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+\-!|:$~])", r"\\\1", text)


def network(config: RunConfig) -> str:
    """Name a network by the layers that matter most: ``conv 32 – conv 64 – dense 128``."""
    hidden = [layer for layer in config.layers[:-1] if isinstance(layer, Conv | Dense)]
    words = [f"conv {layer.filters}" if isinstance(layer, Conv) else f"dense {layer.units}" for layer in hidden]
    if len(words) > 5:
        words = [*words[:3], "…", words[-1]]
    return " – ".join(words) or "linear"


def optimizer(config: RunConfig) -> str:
    """Name the optimizer and its rate: ``Adam 0.001``."""
    return f"{OPTIMIZER_NAMES[config.optimizer.kind]} {number(config.optimizer.learning_rate)}"


def badge(state: RunState) -> str:
    """Write a state as a coloured badge in Markdown."""
    icon, color = STATE_LOOK[state]
    return f":{color}-badge[{icon} {state}]"


def progress(run: Run) -> str:
    """Say where a live run is: ``epoch 3 of 5, 12 s left``."""
    if run.state is RunState.QUEUED:
        return (
            "Waiting for a worker"
            if run.attempt == 0
            else "Its worker is gone; it goes on from its last checkpoint as soon as another is free"
        )
    now = min(run.epoch + 1, run.config.epochs)
    left = f", {duration(run.seconds_left)} left" if run.seconds_left is not None else ""
    return f"Epoch {now} of {run.config.epochs}{left}"


OPTIMIZER_NAMES = {
    "sgd": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "nadam": "NAdam",
    "rmsprop": "RMSprop",
    "adadelta": "Adadelta",
    "adagrad": "Adagrad",
    "lion": "Lion",
}
