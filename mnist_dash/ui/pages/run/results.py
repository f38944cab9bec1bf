"""What stands on a run's page when it has ended: figures, confusion, report, layers, configuration, what can be taken along."""

from __future__ import annotations

from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.analysis.evaluation import (
    ConfusedPair,
)
from mnist_dash.figures.base.confusion import Shares, draw_confusion
from mnist_dash.glossary import help_for
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.states import RunState
from mnist_dash.text import plural, verb
from mnist_dash.ui.components.evaluation_summary import Summary, summary
from mnist_dash.ui.components.run_evaluation import FINAL, Evaluated, choose, selected
from mnist_dash.ui.components.selected_images import choose_cell, draw_selected
from mnist_dash.ui.components.selection import Selection
from mnist_dash.ui.elements.live_plot import live_plot
from mnist_dash.ui.pages.run.layers import layer_table

SHARES: tuple[Shares, ...] = get_args(Shares)
DIGIT_PLURALS = (
    "zeros",
    "ones",
    "twos",
    "threes",
    "fours",
    "fives",
    "sixes",
    "sevens",
    "eights",
    "nines",
)


def outcome(run: Run) -> None:
    """Say how the run ended, when it did not simply finish, and mark a leak."""
    if run.state in (RunState.FAILED, RunState.DIVERGED):
        kept = (
            f" Its {plural(run.epoch, 'finished epoch')} {verb(run.epoch, 'are')} kept."
            if run.epoch
            else ""
        )
        st.error(
            f"{run.reason or 'The run ended without giving a reason.'}{kept}",
            icon=":material/error:",
        )
    elif run.reason and run.state is not RunState.FINISHED:
        st.info(run.reason, icon=":material/info:")
    if run.config.leaks_test_set:
        st.warning(formatting.LEAK, icon=":material/warning:")


def results(run: Run) -> None:
    """Draw the results of an ended run."""
    of = choose(run)
    if of is not None:
        _evaluation(run, of)
    st.subheader("Layers")
    layer_table(run)
    with st.expander("Show the configuration", icon=":material/data_object:"):
        st.code(run.config.model_dump_json(indent=2), language="json")


def _evaluation(run: Run, of: Evaluated) -> None:
    found = summary(of)
    chosen = selected(of)
    where = "" if of.kept == FINAL else f" after epoch {of.kept}"
    st.subheader(f"On the {of.part} set{where}")
    _figures(run, of, found)
    left, right = st.columns([6, 5], gap="large")
    with left:
        _confusion(of, found, chosen)
        if chosen != Selection():
            draw_selected(of, chosen)
    with right:
        _report(of, found)
        _pairs(of, found)


def _figures(run: Run, of: Evaluated, found: Summary) -> None:
    low, high = found.interval
    loss = (
        run.test_loss
        if of.part == "test" and of.kept == FINAL and run.test_loss is not None
        else found.loss
    )
    name = of.part.capitalize()
    with st.grid(3, min_column_width=210):
        st.metric(
            f"{name} accuracy",
            formatting.percent(found.n_right / found.n_images),
            f"95 % interval {formatting.percent_range(low, high)}",
            delta_color="off",
            delta_arrow="off",
            border=True,
            help=help_for(
                "confidence interval",
                f"Here it is Wilson's, of {found.n_right:,} right out of {found.n_images:,} images.",
            ),
        )
        wrong = found.n_images - found.n_right
        st.metric(
            "Errors",
            f"{wrong:,}",
            f"of {found.n_images:,} images",
            delta_color="off",
            delta_arrow="off",
            border=True,
        )
        st.metric(
            f"{name} loss",
            formatting.number(loss),
            "cross-entropy, nats",
            delta_color="off",
            delta_arrow="off",
            border=True,
        )


def _confusion(of: Evaluated, found: Summary, chosen: Selection) -> None:
    st.markdown("**Confusion matrix**")
    shares = st.segmented_control(
        "Cells",
        SHARES,
        default=SHARES[0],
        required=True,
        key="cells",
        bind="query-params",
        label_visibility="collapsed",
    )
    unit = {
        "counts": "counts of images",
        "by row": "% of the true class",
        "by column": "% of the predicted class",
    }[shares]
    st.caption(
        f"{found.n_images:,} {of.part} images. Rows are true classes, columns "
        f"predicted ones; cells are {unit}. Click a cell to see its images."
    )
    clicked = live_plot(
        _confusion_figure(
            of.name, shares, chosen.true, chosen.predicted, found.confusion, of.class_names
        ),
        key="run_confusion_chart",
        alt=f"Confusion matrix on {found.n_images:,} {of.part} images, {unit}",
        height=460,
        clickable=True,
    )
    if isinstance(clicked, list):
        true, predicted = (int(label) for label in clicked)
        again = (true, predicted) == (chosen.true, chosen.predicted)
        choose_cell(Selection() if again else Selection(true, predicted))
        st.rerun()


@st.cache_data(show_spinner=False, max_entries=256)
def _confusion_figure(
    name: str,  # noqa: ARG001 - the cache's key
    shares: Shares,
    true: int | None,
    predicted: int | None,
    _matrix: npt.NDArray[np.int64],
    _class_names: tuple[str, ...],
) -> str:
    return str(
        draw_confusion(
            _matrix.tolist(), _class_names, shares=shares, selected=(true, predicted)
        ).to_json()
    )


def _pairs(of: Evaluated, found: Summary) -> None:
    st.markdown("**Most confused pairs**")
    if not found.pairs:
        st.caption("No image was misclassified.")
    with st.container(gap=None):
        for pair in found.pairs:
            st.button(
                pair_in_words(pair, of.class_names),
                key=f"pair_{pair.true}_{pair.predicted}",
                type="tertiary",
                icon=":material/compare_arrows:",
                on_click=choose_cell,
                args=(Selection(pair.true, pair.predicted),),
            )


def pair_in_words(pair: ConfusedPair, class_names: tuple[str, ...]) -> str:
    """Write a confusion as ``4 predicted as 9: 23 times, 2.34 % of the fours``."""
    true, predicted = class_names[pair.true], class_names[pair.predicted]
    them = f"the {DIGIT_PLURALS[pair.true]}" if true.isdigit() else f"those of class {true}"
    times = "once" if pair.count == 1 else f"{pair.count:,} times"
    return f"{true} predicted as {predicted}: {times}, {formatting.percent(pair.share)} of {them}"


def _report(of: Evaluated, found: Summary) -> None:
    st.markdown("**Classification report**")
    st.caption(
        "Precision: fraction of the images predicted as a class that belong to it. Recall: fraction of a class that is predicted as it."
    )
    rows = [
        (name, row.precision, row.recall, row.f1, row.support)
        for name, row in zip(of.class_names, found.report, strict=True)
    ]
    fraction = st.column_config.NumberColumn(format="%.4f")
    st.dataframe(
        pd.DataFrame(rows, columns=["Class", "Precision", "Recall", "F1", "Images"]),
        hide_index=True,
        height="content",
        column_config={"Precision": fraction, "Recall": fraction, "F1": fraction},
        alt="Classification report, one row per class",
    )
