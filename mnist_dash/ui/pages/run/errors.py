"""Worst errors: the images that a run got wrong, ranked, each with its probabilities; and what the probabilities say of all images."""

from __future__ import annotations

import streamlit as st

from mnist_dash.core.analysis.evaluation import ranked_images
from mnist_dash.core.config.run_config import N_CLASSES
from mnist_dash.glossary import help_for
from mnist_dash.runs.store.records import Run
from mnist_dash.ui.components.run_evaluation import Evaluated, choose, selected
from mnist_dash.ui.components.selected_images import (
    choose_cell,
    draw_grid,
    draw_image,
    more_button,
    sentence,
    shown,
)
from mnist_dash.ui.components.selection import Selection
from mnist_dash.ui.pages.run import probabilities

FIRST_SHOWN, MORE_SHOWN = 6, 24
ANY = "any"


def draw(run: Run) -> None:
    """Draw the view of an ended run."""
    of = choose(run)
    if of is None:
        return
    chosen = selected(of)
    st.subheader("Worst errors")
    st.caption(
        "Ranked by margin, p(predicted) − p(true), the most confident errors first. "
        "Where both classes are the same, the images are correct and the least confident come first."
    )
    _worst(of, chosen)
    probabilities.draw(run, of, chosen)


def _worst(of: Evaluated, chosen: Selection) -> None:
    margins = _filters(of, chosen)
    ranked = ranked_images(
        of.labels, of.probabilities, true=chosen.true, predicted=chosen.predicted, margins=margins
    )
    large = chosen.image if chosen.image is not None else (int(ranked[0]) if len(ranked) else None)
    side, rest = st.columns([2, 5], gap="large")
    with side:
        if large is not None:
            draw_image(of, large)
    with rest:
        st.markdown(f"**{sentence(of, chosen, len(ranked))}**")
        n = shown(FIRST_SHOWN)
        draw_grid(of, ranked[:n], key="worst_errors", chosen=chosen, bars=True, size=84)
        more_button(len(ranked), n, MORE_SHOWN)


def _filters(of: Evaluated, chosen: Selection) -> tuple[float, float]:
    """Offer the classes, which are the selection itself, and the margin."""
    for key, label in (("errors_true", chosen.true), ("errors_predicted", chosen.predicted)):
        st.session_state[key] = ANY if label is None else label
    options = [ANY, *range(N_CLASSES)]

    def named(option: str | int) -> str:
        return of.class_names[option] if isinstance(option, int) else option

    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox(
            "True class",
            options,
            key="errors_true",
            format_func=named,
            on_change=_filter,
            width=150,
        )
        st.selectbox(
            "Predicted class",
            options,
            key="errors_predicted",
            format_func=named,
            on_change=_filter,
            width=150,
        )
        margins = st.slider(
            "Margin",
            0.0,
            1.0,
            (0.0, 1.0),
            0.01,
            key="margin",
            bind="query-params",
            width=260,
            help=help_for("margin"),
        )
        if (chosen.true, chosen.predicted, chosen.image) != (None, None, None):
            st.button(
                "Clear",
                key="clear_selection",
                icon=":material/close:",
                on_click=choose_cell,
                args=(Selection(),),
            )
    low, high = margins
    return float(low), float(high)


def _filter() -> None:
    true, predicted = (st.session_state[key] for key in ("errors_true", "errors_predicted"))
    choose_cell(Selection(*(None if label == ANY else int(label) for label in (true, predicted))))
