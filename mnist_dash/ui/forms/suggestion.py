"""The next configuration that some selected runs suggest, with the reason, ready for the Train page."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import InvalidInput
from mnist_dash.runs.store.records import Run
from mnist_dash.search.studies.suggest import MIN_RUNS, Suggestion, space_of, suggest
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import TRAIN
from mnist_dash.ui.forms.composition import Draft

_PROPOSAL_KEY = "runs_proposal"


def proposal_button(chosen: Sequence[Run]) -> None:
    """Offer a proposal where enough of the selected runs have been validated."""
    known = [
        run for run in chosen if run.best_val_accuracy is not None and not run.config.leaks_test_set
    ]
    if len(known) >= MIN_RUNS:
        st.button(
            "Suggest a configuration",
            key="runs_suggest",
            icon=":material/lightbulb:",
            on_click=_propose,
            args=(known,),
        )


def proposal_card() -> None:
    """Draw the last proposal, until it is dismissed."""
    found: Suggestion | None = st.session_state.get(_PROPOSAL_KEY)
    if found is None:
        return
    with st.container(border=True):
        values = {
            path: formatting.number(value) if isinstance(value, float) else str(value)
            for path, value in found.values.items()
        }
        settings = ", ".join(f"**{path}** {value}" for path, value in values.items())
        st.markdown(f":material/lightbulb: Suggested configuration: {settings}")
        st.caption(
            f"Expected best validation accuracy {formatting.percent(found.expected)} ± {formatting.percent(found.deviation)}; "
            f"the best of these runs has {formatting.percent(found.best)}. {found.reason} "
            f"Estimated by a Gaussian process from {plural(found.n_observed, 'run')}."
        )
        with st.container(horizontal=True):
            train_link(found.config)
            st.button(
                "Dismiss",
                key="runs_suggest_dismiss",
                type="tertiary",
                on_click=lambda: st.session_state.pop(_PROPOSAL_KEY, None),
            )


def train_link(config: RunConfig) -> None:
    """Offer the way to the Train page with a configuration filled in."""
    st.page_link(
        TRAIN,
        label="Open on the Train page",
        icon=":material/model_training:",
        query_params=Draft.from_config(config).link(),
    )


def _propose(known: Sequence[Run]) -> None:
    try:
        space, values = space_of([run.config for run in known])
        figures = [run.best_val_accuracy or 0.0 for run in known]
        st.session_state[_PROPOSAL_KEY] = suggest(space, values, figures, maximize=True)
    except InvalidInput as error:
        st.toast(str(error), icon=":material/error:")
