"""What a run's page says of a run that is a trial of a study: the way to it, and how to have files again that it does not keep."""

from __future__ import annotations

import streamlit as st

from mnist_dash import formatting
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import Study
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import STUDY
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import may_edit


def trial_line(run: Run) -> None:
    """Draw the way to the run's study, if it has one."""
    found = study_store.trial_of(store(), run.id)
    if found is None:
        return
    only = store().person.only
    if only is not None and found[0] not in only:
        return  # a link that shows this run alone
    study, number = study_store.find(store(), found[0]), found[1]
    label = f"Trial {number} of study {formatting.plain(study.name)}"
    st.page_link(
        STUDY,
        label=label,
        icon=":material/science:",
        query_params={"study": study.id, "trials": str(number)},
    )
    if (
        run.state.is_terminal
        and run.epoch
        and not artifacts.has(store(), run.id, ArtifactKind.WEIGHTS)
    ):
        _what_is_missing(study)


def _what_is_missing(study: Study) -> None:
    keep = study.definition.keep
    what = (
        "keeps no files of its trials"
        if keep.kind == "none"
        else f"keeps the files of its {plural(keep.n_best, 'best trial')} only"
    )
    remedy = " Press **Rerun**." if may_edit() else ""
    with st.container(border=True):
        st.markdown(
            f":material/info: This study {what}. The learning curves are kept. A rerun makes the weights and probabilities again, with "
            f"the same numbers.{remedy}"
        )
