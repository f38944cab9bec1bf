"""The coach's card on a run's page: what its figures say, the rule behind it, and the way to a copy with the change made."""

from __future__ import annotations

import streamlit as st

from mnist_dash.core.analysis.coach import Diagnosis, LearningCurves, coach
from mnist_dash.core.config.run_config import RunConfig, with_overrides
from mnist_dash.errors import InvalidConfig
from mnist_dash.glossary import help_for
from mnist_dash.runs.query.layer_history import layer_history
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.states import RunState
from mnist_dash.ui.app.navigation import TRAIN
from mnist_dash.ui.app.resources import history, store
from mnist_dash.ui.app.visitor import has_share_link
from mnist_dash.ui.forms.composition import FIRST_PRESET, Draft


def coach_card(run: Run) -> None:
    """Draw what the coach finds in an ended run; nothing where it finds nothing."""
    config = run.config.at(max(1, run.epoch))
    diagnoses = _find(run, config)
    if not diagnoses:
        return
    with st.container(border=True, key="coach"):
        st.markdown("**Coach**", help=help_for("coach"))
        for diagnosis in diagnoses:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(
                    f":material/lightbulb: {diagnosis.sentence} {diagnosis.proposal}",
                    width="stretch",
                    help=f"Rule: {diagnosis.rule}",
                )
                try:
                    changed = with_overrides(config, diagnosis.overrides)
                except InvalidConfig:
                    continue  # the network is too unusual for the proposal
                if has_share_link():
                    continue  # which does not lead to the Train page
                link = Draft.from_config(changed, preset=run.preset or FIRST_PRESET).link()
                st.page_link(
                    TRAIN, label="Clone with this change", icon=":material/edit:", query_params=link
                )


def _find(run: Run, config: RunConfig) -> tuple[Diagnosis, ...]:
    epochs = history(run.id, run.revision).epochs
    figures = {
        name: epochs[name].tolist()
        for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    }
    curves = LearningCurves(**figures, has_diverged=run.state is RunState.DIVERGED)
    measured = layer_history(store(), run.id)
    return coach(config, curves, measured[max(measured)] if measured else None)
