"""Is it real: groups of seeds with their means and tests, what they lack, and two runs image by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.analysis.significance import ALPHA, GroupMean, Welch, group_mean, holm, welch
from mnist_dash.core.analysis.verdicts import MEASURES, Measure, Verdict, judge_groups, write_p
from mnist_dash.errors import MnistDashError
from mnist_dash.runs.query import comparison
from mnist_dash.runs.query.comparison import MOST_SEEDS_AT_ONCE, SeedFigures
from mnist_dash.text import plural
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import may_edit
from mnist_dash.ui.pages.compare.board import (
    Board,
    NamedGroup,
    choose,
    choose_grouping,
    groups,
    set_runs,
    wanted_ids,
)
from mnist_dash.ui.pages.compare.pair import pair_section

MOST_SENTENCES = 6


@dataclass(frozen=True)
class Judged:
    """One group with its figures."""

    named: NamedGroup
    figures: SeedFigures
    mean: GroupMean


@dataclass(frozen=True)
class Against:
    """One group against the reference."""

    judged: Judged
    test: Welch | None
    p_value: float | None
    """Corrected for all comparisons with the reference."""
    verdict: Verdict


def real_view(board: Board) -> None:
    """Draw groups of seeds, then two runs image by image."""
    st.subheader("Groups of seeds: is one configuration better?")
    _groups_section(board)
    st.subheader("Two runs: is one network better?")
    pair_section(board)


def _groups_section(board: Board) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        measure = MEASURES[
            choose(
                "Metric",
                list(MEASURES),
                "measure",
                named=lambda name: MEASURES[name].title,
                width=300,
            )
        ]
        by = choose_grouping(board, alone=False)
    named = groups(board, by)
    taken = [
        (group, comparison.seed_figures(board.compared, group.group, measure)) for group in named
    ]
    judged = [
        Judged(group, figures, group_mean(figures.by_seed))
        for group, figures in taken
        if figures.run_ids
    ]
    empty = [
        group.letter
        for group in named
        if group.letter not in {each.named.letter for each in judged}
    ]
    if empty:
        st.caption(f"Groups without a finished run: {', '.join(empty)}.")
    if not judged:
        st.info(f"None of these runs has a {measure.title} yet.", icon=":material/info:")
        return
    reference = _reference(judged)
    found = judge_all(measure, reference, [each for each in judged if each is not reference])
    _table(measure, reference, judged, found)
    if by is not None and len(board.compared.settings) > 1:
        st.caption(
            "Other settings vary within these groups, so their spread is not due to seeds alone."
        )
    if len(judged) == 1:
        st.caption("There is only one group. Add runs with other settings above to compare it.")
    for against in found[:MOST_SENTENCES]:
        _sentence(board, reference, against, can_queue=by is None)
    if len(found) > MOST_SENTENCES:
        st.caption(f"The verdicts on the other {len(found) - MOST_SENTENCES} are in the table.")


def judge_all(measure: Measure, reference: Judged, others: Sequence[Judged]) -> tuple[Against, ...]:
    """Compare groups with the reference, corrected for as many comparisons as can be made.

    Args:
        measure: the figure.
        reference: what the others are compared with.
        others: in any order.
    """
    tests = [welch(reference.mean, each.mean) for each in others]
    corrected = holm([test.p_value for test in tests if test is not None])
    n_compared = len(corrected)
    found = []
    for each, test in zip(others, tests, strict=True):
        p_value = corrected.pop(0) if test is not None else None
        sides = (reference.named.letter, reference.mean), (each.named.letter, each.mean)
        verdict = judge_groups(
            measure, *sides, test, p_value=p_value, n_compared=max(1, n_compared)
        )
        found.append(Against(each, test, p_value, verdict))
    return tuple(found)


def _reference(judged: Sequence[Judged]) -> Judged:
    by_first_run = {each.named.group.run_ids[0]: each for each in judged}
    if len(judged) < 2:
        return judged[0]

    def named(run_id: str) -> str:
        group = by_first_run[run_id].named
        return f"{group.letter}: {group.title}"

    return by_first_run[
        choose("Reference", list(by_first_run), "reference", named=named, width=420)
    ]


def _table(
    measure: Measure, reference: Judged, judged: Sequence[Judged], found: Sequence[Against]
) -> None:
    by_letter = {against.judged.named.letter: against for against in found}
    rows = [_row(measure, each, reference, by_letter.get(each.named.letter)) for each in judged]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="content" if len(rows) <= 12 else 420,
        column_config={
            "Group": st.column_config.TextColumn(pinned=True),
            "Settings": st.column_config.TextColumn(width="medium"),
        },
        alt=f"Groups of seeds: mean {measure.title} with its interval, and the difference from group {reference.named.letter}",
    )
    n_repeated = sum(each.figures.n_repeated for each in judged)
    if n_repeated:
        st.caption(
            f"{plural(n_repeated, 'run')} left out because another run has the same configuration and seed."
        )
    n_lost = sum(each.figures.n_lost for each in judged)
    if n_lost:
        st.caption(
            f"{plural(n_lost, 'run')} left out that did not finish. The means are those of finished runs."
        )


def _row(
    measure: Measure, each: Judged, reference: Judged, against: Against | None
) -> dict[str, object]:
    mean, low, high = each.mean.mean, each.mean.low, each.mean.high
    test = None if against is None else against.test
    return {
        "Group": each.named.letter,
        "Settings": each.named.title,
        "Seeds": each.mean.n,
        "Queued or running": each.figures.n_live,
        "Mean": measure.write(mean),
        "95 % interval": formatting.NOTHING
        if low is None or high is None
        else f"{measure.write(low)} to {measure.write(high)}",
        "Standard deviation": formatting.NOTHING
        if each.mean.deviation is None
        else measure.write_difference(each.mean.deviation),
        f"Difference from {reference.named.letter}": formatting.NOTHING
        if against is None
        else measure.write_difference(mean - reference.mean.mean, signed=True),
        "p": formatting.NOTHING
        if test is None
        else write_p(test.p_value).removeprefix("p ").removeprefix("= "),
        "p (corrected)": formatting.NOTHING
        if against is None or against.p_value is None
        else write_p(against.p_value).removeprefix("p ").removeprefix("= "),
        "Verdict": _word(measure, against),
    }


def _word(measure: Measure, against: Against | None) -> str:
    if against is None:
        return "reference"
    if against.test is None or against.p_value is None:
        return "too few seeds" if against.verdict.add_a + against.verdict.add_b else "no variance"
    if against.p_value >= ALPHA:
        return "not significant"
    return "better" if (against.test.difference > 0) == measure.higher_is_better else "worse"


def _sentence(board: Board, reference: Judged, against: Against, *, can_queue: bool) -> None:
    """Say the verdict; offer to queue the seeds that are missing, less those that are on their way."""
    icon = ":material/verified:" if against.verdict.is_real else ":material/blur_on:"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{icon} {against.verdict.sentence}", width="stretch")
        if not (can_queue and may_edit()):
            return
        sides = ((reference, against.verdict.add_a), (against.judged, against.verdict.add_b))
        wanted = {
            side.named.group.run_ids: max(0, add - side.figures.n_live) for side, add in sides
        }
        n = sum(min(add, MOST_SEEDS_AT_ONCE) for add in wanted.values())
        whole = sum(wanted.values())
        if n:
            st.button(
                f"Queue {plural(n, 'seed')}"
                if n == whole
                else f"Queue {n} of {plural(whole, 'seed')}",
                key=f"compare_seeds_{against.judged.named.group.run_ids[0]}",
                icon=":material/casino:",
                on_click=_queue,
                args=(board, wanted),
                help="Trains the missing seeds. Existing runs with these seeds are used as they are.",
            )
        elif sum(add for _, add in sides):
            st.caption("The missing seeds are queued or running.", width="content")


def _queue(board: Board, wanted: dict[tuple[str, ...], int]) -> None:
    """Queue seeds and add their runs to the comparison."""
    added: list[str] = []
    try:
        for run_ids, n in wanted.items():
            if n:
                added += comparison.add_seeds(
                    store(),
                    [board.compared.run(run_id) for run_id in run_ids],
                    min(n, MOST_SEEDS_AT_ONCE),
                )
    except MnistDashError as error:
        st.toast(str(error), icon=":material/error:")
    if added:
        set_runs([*wanted_ids(), *added])
        st.toast(f"{plural(len(added), 'seed')} added to the comparison.", icon=":material/casino:")
