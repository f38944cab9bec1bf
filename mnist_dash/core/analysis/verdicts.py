"""What a comparison says, in sentences: for two networks on the same images, for groups of seeds, and for what was picked by its figure.

Names that are passed stand in the sentences as they are: whoever shows them as Markdown or HTML escapes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mnist_dash.core.analysis.significance import (
    ALPHA,
    MOST_SEEDS,
    GroupMean,
    Paired,
    Welch,
    expected_best,
    seeds_needed,
)
from mnist_dash.formatting import number, percent
from mnist_dash.text import plural

FEWEST_SEEDS = 3
"""Seeds that a group is brought to before its spread is judged at all."""
WORTH_ADDING = 50
"""More seeds than these are not asked for: a difference that needs them hardly matters."""


@dataclass(frozen=True)
class Measure:
    """A metric that runs are compared by."""

    name: str
    """As the run's record calls it, such as ``test_accuracy``."""
    title: str
    is_share: bool
    """Whether values are fractions of one, printed in percent, and differences in points."""
    higher_is_better: bool = True

    def write(self, value: float) -> str:
        """Print a value."""
        return percent(value) if self.is_share else number(value)

    def write_difference(self, value: float, *, signed: bool = False) -> str:
        """Print a difference, accuracies in points, which are hundredths."""
        sign = "+" if signed else ""
        return f"{100 * value:{sign}.2f} points" if self.is_share else f"{value:{sign}.3g}"


TEST_ACCURACY = Measure("test_accuracy", "test accuracy", is_share=True)
MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        TEST_ACCURACY,
        Measure("test_loss", "test loss", is_share=False, higher_is_better=False),
        Measure("last_val_accuracy", "validation accuracy, last epoch", is_share=True),
        Measure("best_val_accuracy", "validation accuracy, best epoch", is_share=True),
        Measure(
            "last_val_loss", "validation loss, last epoch", is_share=False, higher_is_better=False
        ),
    )
}
"""Figures of a run that groups of seeds can be compared by."""


@dataclass(frozen=True)
class Verdict:
    """Whether two groups differ, and what would tell."""

    sentence: str
    is_real: bool
    """Whether the difference is more than the noise of seeds."""
    add_a: int = 0
    """Seeds that group A lacks to show a difference of the observed size."""
    add_b: int = 0


def judge_pair(
    paired: Paired, name_a: str, name_b: str, *, p_value: float | None = None, n_compared: int = 1
) -> str:
    """Say what two networks' answers on the same images tell.

    Args:
        paired: the counts, McNemar's test, and the interval.
        name_a: of the first network.
        name_b: of the second.
        p_value: corrected for several comparisons; the test's own where None.
        n_compared: how many comparisons it was corrected for.
    """
    if not paired.n_only_a + paired.n_only_b:
        return (
            f"{name_a} and {name_b} predict the same {paired.n_both:,} of {paired.n:,} images correctly, so there is no "
            "difference between them."
        )
    p = paired.p_value if p_value is None else p_value
    counts = (
        f"{name_b} predicts {plural(paired.n_only_b, 'image')} correctly that {name_a} does not, "
        f"and {name_a} {paired.n_only_a:,} that {name_b} does not"
    )
    points = TEST_ACCURACY.write_difference(paired.difference, signed=True)
    interval = f"95 % interval {100 * paired.low:+.2f} to {100 * paired.high:+.2f}"
    tested = f"{points} of accuracy ({interval}; McNemar's exact test, {write_p(p)}{_corrected(n_compared)})"
    end = (
        f"{name_b if paired.difference > 0 else name_a} is the better of these two trained networks."
        if p < ALPHA
        else f"The difference is within the noise of {paired.n:,} images."
    )
    return f"{counts}: {tested}. {end}"


def judge_groups(
    measure: Measure,
    named_a: tuple[str, GroupMean],
    named_b: tuple[str, GroupMean],
    test: Welch | None,
    *,
    p_value: float | None = None,
    n_compared: int = 1,
) -> Verdict:
    """Say whether two groups of seeds differ, and which seeds are missing where that cannot be said yet.

    Args:
        measure: what is compared.
        named_a: name and figures of the first group.
        named_b: name and figures of the second.
        test: from `significance.welch`.
        p_value: corrected for several comparisons; the test's own where None.
        n_compared: how many comparisons it was corrected for.
    """
    (name_a, a), (name_b, b) = named_a, named_b
    if a.n < 2 or b.n < 2:
        return _too_few(named_a, named_b)
    if test is None:
        same = f"Every seed of {name_a} gave a {measure.title} of {measure.write(a.mean)}"
        if a.mean == b.mean:
            return Verdict(
                f"{same}, and so did every seed of {name_b}: there is no difference.", is_real=False
            )
        text = f"{same} and every seed of {name_b} one of {measure.write(b.mean)}. The seeds do not vary, so no test is possible."
        return Verdict(text, is_real=False)
    p = test.p_value if p_value is None else p_value
    size = measure.write_difference(abs(test.difference))
    ends = (
        f"{100 * end:+.2f}" if measure.is_share else f"{end:+.3g}" for end in (test.low, test.high)
    )
    details = f"95 % interval {' to '.join(ends)}; Welch's t-test over {a.n} and {b.n} seeds, {write_p(p)}{_corrected(n_compared)}"
    if p < ALPHA:
        more = "higher" if test.difference > 0 else "lower"
        good = "better" if (test.difference > 0) == measure.higher_is_better else "worse"
        return Verdict(
            f"{name_b} is {good} than {name_a}: its mean {measure.title} is {size} {more} ({details}).",
            is_real=True,
        )
    noise = f"The difference of {size} between {name_a} and {name_b} is within the noise of seeds ({details})"
    return _missing(noise, named_a, named_b, n_compared)


def judge_selection(
    n_ranked: int, n_shown: int, best_rank: int, best_accuracy: float, n_test: int
) -> str:
    """Say how much a choice by test accuracy can flatter what was chosen.

    Args:
        n_ranked: runs of the store with a test accuracy on these test images, deleted ones included: all that could be ranked by it.
        n_shown: how many of them are compared here.
        best_rank: place of the best one shown among them, from 1.
        best_accuracy: its test accuracy.
        n_test: test images.
    """
    if n_ranked <= n_shown:
        return "All runs with a test accuracy on these images are shown here, so none was selected by it."
    error = math.sqrt(max(best_accuracy * (1 - best_accuracy), 0.0) / n_test)
    luck = 100 * error * expected_best(n_ranked)
    if best_rank == 1:
        return (
            "The best run here has the highest test accuracy of "
            f"{plural(n_ranked, 'run')}. If it was selected for that, it looks better than "
            f"it is: were all {n_ranked:,} equally good, the best would still be up to {luck:.2f} points ahead of their mean by "
            f"chance alone, on {n_test:,} images."
        )
    return (
        f"{plural(n_ranked, 'run')} of this store have a test accuracy on these images; the best one here has rank {best_rank:,}. Runs "
        "that are selected by their test accuracy look better than they are."
    )


def write_p(value: float) -> str:
    """Write a p-value: ``p = 0.048``, ``p < 0.001``."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}" if value < 0.995 else "p = 1"


def _too_few(named_a: tuple[str, GroupMean], named_b: tuple[str, GroupMean]) -> Verdict:
    add_a, add_b = (max(0, FEWEST_SEEDS - group.n) for _, group in (named_a, named_b))
    single = [name for name, group in (named_a, named_b) if group.n < 2]
    wanted = [
        f"{plural(add, 'seed')} of {name}"
        for add, (name, _) in ((add_a, named_a), (add_b, named_b))
        if add
    ]
    text = f"One seed of {' and one of '.join(single)} does not show how much seeds vary. Add {' and '.join(wanted)}."
    return Verdict(text, is_real=False, add_a=add_a, add_b=add_b)


def _missing(
    noise: str, named_a: tuple[str, GroupMean], named_b: tuple[str, GroupMean], n_compared: int
) -> Verdict:
    (name_a, a), (name_b, b) = named_a, named_b
    if a.mean == b.mean:
        return Verdict(f"{noise}: their means are equal.", is_real=False)
    needed = seeds_needed(a, b, alpha=ALPHA / n_compared)
    if needed is None:
        return Verdict(
            f"{noise}: more than {MOST_SEEDS:,} seeds of each would be needed to see one so small.",
            is_real=False,
        )
    add_a, add_b = max(0, needed - a.n), max(0, needed - b.n)
    if not add_a + add_b:  # as good as shown
        add_a = add_b = 1
    if max(add_a, add_b) > WORTH_ADDING:
        return Verdict(
            f"{noise}: it would take {needed:,} seeds of each to see one so small.", is_real=False
        )
    each = (
        f"{plural(add_a, 'seed')} of each"
        if add_a == add_b
        else f"{plural(add_a, 'seed')} of {name_a} and {add_b:,} of {name_b}"
    )
    each = (
        each
        if add_a and add_b
        else f"{plural(add_a, 'seed')} of {name_a}"
        if add_a
        else f"{plural(add_b, 'seed')} of {name_b}"
    )
    return Verdict(
        f"{noise}: add {each} to find out whether it is significant.",
        is_real=False,
        add_a=add_a,
        add_b=add_b,
    )


def _corrected(n_compared: int) -> str:
    return f" after correction for {n_compared} comparisons" if n_compared > 1 else ""
