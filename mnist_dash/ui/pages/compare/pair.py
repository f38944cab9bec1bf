"""Two of the compared runs, image by image: their confusion matrices, whether one is better, and who fixed which digit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.analysis.evaluation import wilson_interval
from mnist_dash.core.analysis.significance import ALPHA, Paired, compare_all, compare_paired, holm
from mnist_dash.core.analysis.verdicts import judge_pair, write_p
from mnist_dash.core.config.run_config import N_CLASSES
from mnist_dash.core.data.idx import CLASS_NAMES, read_images
from mnist_dash.errors import MnistDashError
from mnist_dash.figures.base.confusion import draw_confusion
from mnist_dash.figures.compare.confusion import draw_confusion_difference
from mnist_dash.runs.query import comparison
from mnist_dash.runs.query.comparison import Answers
from mnist_dash.runs.store.records import Run
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import run_link
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import error_sentence
from mnist_dash.ui.components.selected_images import more_button, shown
from mnist_dash.ui.elements.live_plot import live_plot
from mnist_dash.ui.elements.picture_grid import picture_grid
from mnist_dash.ui.pages.compare.board import Board, Drawable, answers, choose, figure_json

ANY = "any"
FIRST_SHOWN, MORE_SHOWN = 60, 120


@dataclass(frozen=True)
class Pair:
    """Two runs that answered the same test images."""

    a: Run
    b: Run
    answers_a: Answers
    answers_b: Answers

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the labels stand for."""
        return CLASS_NAMES[self.answers_a.dataset]

    def compared(self) -> Paired:
        """Count and test."""
        return compare_paired(self.answers_a.right, self.answers_b.right)


def choose_pair(board: Board) -> Pair | None:
    """Offer two of the runs that have left test probabilities, or say why there are not two."""
    evaluated = [run.id for run in board.runs if run.id in board.compared.evaluated]
    without = [run for run in board.runs if run.id not in board.compared.evaluated]
    if without:
        named = ", ".join(board.said(run.id) for run in without[:6]) + (
            f" and {len(without) - 6} more" if len(without) > 6 else ""
        )
        why = (
            "not evaluated yet, or not kept by their study"
            if len(without) > 1
            else "it was not evaluated yet, or its study kept none"
        )
        st.caption(
            f":material/info: No stored test predictions ({why}): {named}. Curves, settings and metrics are available."
        )
    if len(evaluated) < 2:
        st.info(
            "This view compares two runs with stored test predictions, image by image; "
            f"of these runs {'one has' if evaluated else 'none has'} them. Add another finished run.",
            icon=":material/info:",
        )
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        one = choose("A", evaluated, "a", named=lambda run_id: _label(board, run_id), width=340)
        others = [run_id for run_id in evaluated if run_id != one]
        other = choose("B", others, "b", named=lambda run_id: _label(board, run_id), width=340)
        st.button(
            "Swap",
            key="compare_swap",
            icon=":material/swap_horiz:",
            on_click=_swap,
            args=(one, other),
        )
    a, b = board.compared.run(one), board.compared.run(other)
    try:
        comparison.check_same_images(a, b)
        return Pair(a, b, answers(a), answers(b))
    except MnistDashError as error:
        st.error(error_sentence(error), icon=":material/error:")
        return None


def confusion_view(board: Board) -> None:
    """Draw both confusion matrices and what B has more or fewer of."""
    pair = choose_pair(board)
    if pair is None:
        return
    matrices = [_confusion(each) for each in (pair.answers_a, pair.answers_b)]
    names, (a, b) = pair.class_names, matrices
    called = (board.names[pair.a.id], board.names[pair.b.id])
    figures: tuple[tuple[str, str, Drawable], ...] = (
        ("a", f"A: {board.said(pair.a.id)}", draw_confusion(a, names)),
        ("b", f"B: {board.said(pair.b.id)}", draw_confusion(b, names)),
        ("difference", "B − A", draw_confusion_difference(a, b, names, names=called)),
    )
    for column, (key, title, figure) in zip(st.columns(3), figures, strict=True):
        with column:
            st.markdown(f"**{title}**")
            drawn = figure_json(
                board,
                ("confusion", key, pair.a.id, pair.b.id),
                lambda figure=figure: figure,  # type: ignore[misc]
            )
            live_plot(
                drawn, key=f"compare_confusion_{key}", alt=f"Confusion matrix, {title}", height=400
            )
    st.caption(
        "Rows are true classes, columns predicted ones. In the difference, more is better on the diagonal and worse elsewhere."
    )


def pair_section(board: Board) -> None:
    """Say whether one of two trained networks is better on the test images, and show which images each has fixed."""
    pair = choose_pair(board)
    if pair is None:
        return
    found = pair.compared()
    for column, (label, value, note) in zip(st.columns(4), _metrics(found), strict=True):
        column.metric(label, value, delta=note, delta_color="off", delta_arrow="off")
    name_a, name_b = (board.said(run.id) for run in (pair.a, pair.b))
    st.markdown(f"**{judge_pair(found, name_a, name_b)}**")
    st.caption(
        "This holds for these two trained networks. Another seed may give another result; compare groups of seeds to judge settings."
    )
    _against_all(board, pair)
    _fixed(board, pair)


def _metrics(found: Paired) -> tuple[tuple[str, str, str], ...]:
    rows = []
    for name, right in (("A", found.n_both + found.n_only_a), ("B", found.n_both + found.n_only_b)):
        low, high = wilson_interval(right, found.n)
        rows.append(
            (
                f"Test accuracy of {name}",
                formatting.percent(right / found.n),
                f"95 % interval {formatting.percent_range(low, high)}",
            )
        )
    difference = (
        "Difference B − A",
        formatting.points(found.difference),
        f"95 % interval {100 * found.low:+.2f} to {100 * found.high:+.2f}",
    )
    test = (
        "McNemar's exact test",
        write_p(found.p_value),
        f"mid-p {write_p(found.mid_p).removeprefix('p ').removeprefix('= ')}",
    )
    return (*rows, difference, test)


def _against_all(board: Board, pair: Pair) -> None:
    """List every other run against A, corrected for there being several."""
    others = [
        run
        for run in board.runs
        if run.id in board.compared.evaluated
        and run.id != pair.a.id
        and run.config.dataset == pair.a.config.dataset
    ]
    if len(others) < 2:
        return
    try:
        tested = compare_all(pair.answers_a.right, [answers(run).right for run in others])
    except MnistDashError as error:
        st.error(error_sentence(error), icon=":material/error:")
        return
    corrected = holm([each.p_value for each in tested])
    rows = pd.DataFrame(
        {
            "Run": [board.names[run.id] for run in others],
            "Only this run correct": [each.n_only_b for each in tested],
            "Only A correct": [each.n_only_a for each in tested],
            "Difference, points": [100 * each.difference for each in tested],
            "95 % interval": [
                f"{100 * each.low:+.2f} to {100 * each.high:+.2f}" for each in tested
            ],
            "p": [write_p(each.p_value).removeprefix("p ").removeprefix("= ") for each in tested],
            "p (corrected)": [write_p(p).removeprefix("p ").removeprefix("= ") for p in corrected],
            "Verdict": [
                "not significant" if p >= ALPHA else "better" if each.difference > 0 else "worse"
                for each, p in zip(tested, corrected, strict=True)
            ],
        }
    )
    with st.expander(
        f"All {plural(len(others), 'other run')} against A, corrected for {plural(len(others), 'comparison')}",
        icon=":material/table_rows:",
    ):
        st.dataframe(
            rows,
            hide_index=True,
            height="content" if len(rows) <= 12 else 420,
            column_config={"Difference, points": st.column_config.NumberColumn(format="%+.2f")},
            alt="Every other run against A: images that only one of them predicts correctly, difference, tests",
        )
        st.caption(
            "Corrected by Holm's method, because with many comparisons some look significant by chance."
        )


def _fixed(board: Board, pair: Pair) -> None:
    """Show the images on which exactly one of the two is right."""
    st.subheader("Changed predictions")
    names = pair.class_names
    options = [ANY, *map(str, range(N_CLASSES))]
    digit = choose(
        "True class",
        options,
        "digit",
        named=lambda one: one if one == ANY else names[int(one)],
        side_by_side=True,
    )
    labels, right_a, right_b = pair.answers_a.labels, pair.answers_a.right, pair.answers_b.right
    wanted = np.ones(len(labels), dtype=np.bool_) if digit == ANY else labels == int(digit)
    n, most = shown(FIRST_SHOWN), 0
    for key, word, chosen, wrong in (
        ("right", "Corrected", right_b & ~right_a, pair.answers_a),
        ("wrong", "Newly misclassified", right_a & ~right_b, pair.answers_b),
    ):
        indices = np.flatnonzero(chosen & wanted)
        most = max(most, len(indices))
        fixer, other = (pair.b, pair.a) if key == "right" else (pair.a, pair.b)
        said = f"{board.said(fixer.id)} predicts them correctly, {board.said(other.id)} does not"
        st.markdown(f"**{word} in B: {plural(len(indices), 'image')}.** {said}.")
        if len(indices):
            _pictures(pair, indices[:n], wrong, key=f"compare_fixed_{key}", what=f"{word} in B")
    more_button(most, n, MORE_SHOWN)
    st.caption("Below each image: its true class and the wrong prediction.")
    with st.container(horizontal=True):
        run_link(
            pair.a.id, f"All errors of A, {board.said(pair.a.id)}", icon=":material/image_search:"
        )
        run_link(
            pair.b.id, f"All errors of B, {board.said(pair.b.id)}", icon=":material/image_search:"
        )


def _pictures(
    pair: Pair, indices: npt.NDArray[np.int64], wrong: Answers, *, key: str, what: str
) -> None:
    names, labels = pair.class_names, wrong.labels
    images = read_images(wrong.dataset, "test", store().settings.data_dir)[indices]
    called = [(names[labels[index]], names[wrong.predicted[index]]) for index in indices.tolist()]
    picture_grid(
        images,
        key=key,
        alt=f"{what}: test images {', '.join(map(str, indices[:20].tolist()))}{' and more' if len(indices) > 20 else ''}",
        columns=(20, 7),
        titles=[
            f"test image {index:,}: true {true}, predicted as {called_so}"
            for index, (true, called_so) in zip(indices.tolist(), called, strict=True)
        ],
        captions=[f"{true}, not {called_so}" for true, called_so in called],
        max_side=56,
    )


def _confusion(answered: Answers) -> list[list[int]]:
    cells = np.bincount(answered.labels * N_CLASSES + answered.predicted, minlength=N_CLASSES**2)
    matrix: list[list[int]] = cells.reshape(N_CLASSES, N_CLASSES).tolist()
    return matrix


def _label(board: Board, run_id: str) -> str:
    run = board.compared.run(run_id)
    return f"{board.names[run_id]} · {formatting.percent(run.test_accuracy)}"


def _swap(one: str, other: str) -> None:
    st.query_params["a"], st.query_params["b"] = other, one
