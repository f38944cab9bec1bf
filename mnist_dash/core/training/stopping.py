"""Which epoch was the best so far, and whether to go on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mnist_dash.core.config.run_config import EarlyStopping
from mnist_dash.core.training.reports import EpochReport


@dataclass(frozen=True)
class BestEpoch:
    """Best epoch so far by the monitored figure, and how many epochs since brought no improvement."""

    epoch: int = 0
    value: float = math.nan
    n_without_improvement: int = 0


def judge(best: BestEpoch, report: EpochReport, rule: EarlyStopping | None) -> BestEpoch:
    """Take one more epoch into account; without early stopping the best is that of the highest validation accuracy, the first of equals."""
    monitor, min_delta = (rule.monitor, rule.min_delta) if rule else ("val_accuracy", 0.0)
    value: float = getattr(report, monitor)
    gain = value - best.value if monitor.endswith("accuracy") else best.value - value
    if best.epoch == 0 or gain > min_delta:
        return BestEpoch(report.epoch, value, 0)
    return BestEpoch(best.epoch, best.value, best.n_without_improvement + 1)


def is_exhausted(best: BestEpoch, rule: EarlyStopping | None) -> bool:
    """Whether early stopping ends the run now."""
    return rule is not None and best.n_without_improvement >= rule.patience
