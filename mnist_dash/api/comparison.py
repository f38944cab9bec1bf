"""Is a difference real: two networks on the same test images, or two groups of seeds, by the tests of the Compare page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
from plotly.graph_objects import Figure

from mnist_dash.api.card import card, lines
from mnist_dash.core.analysis.significance import (
    ALPHA,
    GroupMean,
    compare_paired,
    group_mean,
    welch,
)
from mnist_dash.core.analysis.verdicts import (
    MEASURES,
    TEST_ACCURACY,
    Measure,
    judge_groups,
    judge_pair,
    write_p,
)
from mnist_dash.errors import InvalidInput
from mnist_dash.figures.base.paint import painted
from mnist_dash.figures.compare.curves import OverlayOptions, RunLine, draw_overlay
from mnist_dash.figures.compare.look import looks
from mnist_dash.formatting import NOTHING
from mnist_dash.runs.query import comparison
from mnist_dash.runs.query.comparison import Compared, Group
from mnist_dash.runs.store.run_store import Store
from mnist_dash.text import did_you_mean, listed


@dataclass(frozen=True, repr=False)
class Comparison:
    """Two runs or groups of runs, A and B; a difference is that of B less that of A."""

    sentence: str
    """The verdict in words."""
    difference: float | None
    low: float | None
    """Lower end of the 95 % interval of the difference; None where no test is possible."""
    high: float | None
    p_value: float | None
    """Two-sided: McNemar's exact test for two runs on the same images, Welch's t-test for groups of seeds."""
    table: pd.DataFrame
    """Images by who predicts them correctly, or mean and deviation of each group."""
    measure: Measure
    _compared: Compared = field(compare=False)

    @property
    def is_significant(self) -> bool:
        """Whether the p-value is below 0.05."""
        return self.p_value is not None and self.p_value < ALPHA

    @property
    def settings(self) -> pd.DataFrame:
        """What differs in the configurations: one row a setting, one column a run."""
        found = self._compared.settings
        return pd.DataFrame.from_dict(
            dict(found), orient="index", columns=[run.id for run in self._compared.runs]
        )

    def plot(self, metric: str = "val_accuracy", *, log: bool = False) -> Figure:
        """Draw one line a run over its epochs.

        Args:
            metric: a column of `Run.history`, such as ``val_loss``.
            log: whether the y axis is logarithmic; an accuracy is then drawn as its error.
        """
        columns = [
            str(name) for name in self._compared.epochs.columns if name not in ("run_id", "epoch")
        ]
        if metric not in columns:
            raise InvalidInput(
                f"metric: no such column {metric!r} ({listed(columns)}). {did_you_mean(metric, columns)}".rstrip()
            )
        styles = looks([run.id for run in self._compared.runs])
        curves = []
        for run in self._compared.runs:
            rows = self._compared.history(run.id)
            curves.append(
                RunLine(
                    run.id,
                    run.title,
                    styles[run.id],
                    rows["epoch"].to_numpy(float),
                    rows[metric].to_numpy(float),
                )
            )
        options = OverlayOptions(is_share=metric.endswith("_accuracy"), log_y=log)
        return painted(draw_overlay(curves, metric.replace("_", " "), options))

    def __repr__(self) -> str:
        return lines(*self._summary(), note=self.sentence)

    def _repr_html_(self) -> str:
        return card(*self._summary(), note=self.sentence)

    def _summary(self) -> tuple[str, list[tuple[str, str]]]:
        difference = (
            NOTHING
            if self.difference is None
            else self.measure.write_difference(self.difference, signed=True)
        )
        ends = (
            self.measure.write_difference(end, signed=True)
            for end in (self.low, self.high)
            if end is not None
        )
        rows = [
            (f"difference in {self.measure.title}, B − A", difference),
            ("95 % interval", " to ".join(ends) or NOTHING),
            ("test", NOTHING if self.p_value is None else write_p(self.p_value)),
        ]
        return "Comparison of A and B", rows


def compare_runs(store: Store, a: str, b: str) -> Comparison:
    """Compare two trained networks on the test images.

    Raises:
        UnknownRun: no run has one of the ids.
        InvalidInput: they were tested on different images.
        ArtifactError: one has no stored test predictions.
    """
    run_a, run_b = store.run(a), store.run(b)
    comparison.check_same_images(run_a, run_b)
    answers_a, answers_b = comparison.answers(store, run_a), comparison.answers(store, run_b)
    found = compare_paired(answers_a.right, answers_b.right)
    both_wrong = found.n - found.n_both - found.n_only_a - found.n_only_b
    table = pd.DataFrame(
        [[found.n_both, found.n_only_a], [found.n_only_b, both_wrong]],
        index=pd.Index(["correct", "wrong"], name="A"),
        columns=pd.Index(["correct", "wrong"], name="B"),
    )
    sentence = judge_pair(found, f"A ({run_a.title})", f"B ({run_b.title})")
    compared = comparison.load(store, [a, b])
    return Comparison(
        sentence,
        found.difference,
        found.low,
        found.high,
        found.p_value,
        table,
        TEST_ACCURACY,
        compared,
    )


def compare_groups(store: Store, a: Sequence[str], b: Sequence[str], metric: str) -> Comparison:
    """Compare two groups of seeds by a metric of their finished runs.

    Raises:
        UnknownRun: no run has one of the ids.
        InvalidInput: there is no such metric, or a group has no finished run with it.
    """
    if metric not in MEASURES:
        raise InvalidInput(
            f"metric: no such metric {metric!r} ({listed(MEASURES)}). {did_you_mean(metric, MEASURES)}".rstrip()
        )
    measure = MEASURES[metric]
    for run_id in (*a, *b):
        store.run(run_id)
    compared = comparison.load(store, [*a, *b])
    means = {letter: _mean(compared, ids, measure, letter) for letter, ids in (("A", a), ("B", b))}
    test = welch(means["A"], means["B"])
    verdict = judge_groups(measure, ("A", means["A"]), ("B", means["B"]), test)
    rows = {
        letter: [mean.n, mean.mean, mean.deviation, mean.low, mean.high]
        for letter, mean in means.items()
    }
    table = pd.DataFrame.from_dict(
        rows, orient="index", columns=["seeds", "mean", "deviation", "low", "high"]
    )
    difference = means["B"].mean - means["A"].mean
    low, high, p_value = (None, None, None) if test is None else (test.low, test.high, test.p_value)
    return Comparison(verdict.sentence, difference, low, high, p_value, table, measure, compared)


def _mean(compared: Compared, ids: Sequence[str], measure: Measure, letter: str) -> GroupMean:
    shown = {run.id for run in compared.runs}
    figures = comparison.seed_figures(
        compared, Group({}, tuple(run_id for run_id in ids if run_id in shown)), measure
    )
    if not figures.by_seed:
        raise InvalidInput(
            f"No run of group {letter} has finished with a {measure.title}. Wait for one, or choose others."
        )
    return group_mean(figures.by_seed)
