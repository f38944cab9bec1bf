"""The published experiments as a table: theirs, ours, and what lies between."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.experiments import Preset
from mnist_dash.core.config.naming import network_name, optimizer_name
from mnist_dash.core.config.published import EXPERIMENTS
from mnist_dash.runs.query.reproduction import Comparison, compare, points
from mnist_dash.text import plural
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.components.tables import without_empty

CHOSEN = "experiment"
"""The query parameter that names the opened experiment."""
_TABLE_KEY = "published_table"
ATTAINED = ("within the noise of seeds", "better", "within 0.3 points")


def comparisons() -> dict[str, tuple[Comparison, ...]]:
    """Compare every experiment with our runs, once for all sessions that look at this state of the store; a sweep has several points."""
    return _compare(store().settings.database_url, store().revision())


@st.cache_resource(show_spinner=False, max_entries=8)
def _compare(_database_url: str, revision: int) -> dict[str, tuple[Comparison, ...]]:  # noqa: ARG001 - the revision is part of the cache's key
    found = compare(store(), points())
    return {
        ready.name: tuple(each for each in found if each.point.preset.name == ready.name)
        for ready in EXPERIMENTS
    }


def published_table(found: dict[str, tuple[Comparison, ...]]) -> None:
    """Draw the table; a click on a row opens its experiment."""
    names = list(found)
    chosen = st.query_params.get(CHOSEN)
    rows = without_empty(
        pd.DataFrame([_row(compared) for compared in found.values()]), keep=["Our accuracy"]
    )
    fraction = st.column_config.NumberColumn(format="%.2f %%")
    st.dataframe(
        rows,
        key=_TABLE_KEY,
        hide_index=True,
        height=320 if chosen in names else "content",  # leaves room for the experiment below
        on_select=lambda: _choose(names),
        selection_mode="single-row",
        placeholder=formatting.NOTHING,
        selection_default={"selection": {"rows": [names.index(chosen)]}}
        if chosen in names
        else None,
        column_config={
            "Experiment": st.column_config.TextColumn(pinned=True),
            "Parameters": st.column_config.NumberColumn(format="localized"),
            "Published parameters": st.column_config.NumberColumn(format="localized"),
            "Published accuracy": fraction,
            "Our accuracy": fraction,
            "Difference, points": st.column_config.NumberColumn(format="%+.2f"),
            "Published loss": st.column_config.NumberColumn(format="%.3g"),
            "Our loss": st.column_config.NumberColumn(format="%.3g"),
            "Our s/epoch": st.column_config.NumberColumn(format="%.3g"),
        },
        alt="Published experiments with their numbers and ours",
    )


def _choose(names: Sequence[str]) -> None:
    rows = st.session_state[_TABLE_KEY].selection.rows
    if rows:
        st.query_params[CHOSEN] = names[rows[0]]
    else:
        st.query_params.pop(CHOSEN, None)


def _row(compared: Sequence[Comparison]) -> dict[str, object]:
    preset = compared[0].point.preset
    published = preset.published
    assert published is not None
    single = compared[0] if preset.grid is None else None
    n_runs = sum(len(each.runs) for each in compared)
    seconds = published.seconds_per_epoch
    return {
        "Experiment": preset.name,
        "Verdict": single.verdict
        if single
        else f"{sum(bool(each.runs) for each in compared)} of {len(compared)} values run",
        "Published accuracy": _percent(published.test_accuracy),
        "Our accuracy": _percent(single.test_accuracy) if single else None,
        "Difference, points": _percent(single.difference) if single else None,
        "Runs": n_runs,
        "Published loss": published.test_loss,
        "Our loss": single.test_loss if single else None,
        "Parameters": preset.config.n_parameters,
        "Published parameters": published.n_parameters,
        "Published s/epoch": None
        if seconds is None
        else f"{seconds[0]:g}"
        if seconds[0] == seconds[1]
        else f"{seconds[0]:g} to {seconds[1]:g}",
        "Our s/epoch": single.seconds_per_epoch if single else None,
        "Title": preset.title,
    }


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def headline(found: dict[str, tuple[Comparison, ...]]) -> None:
    """Say how many experiments agree."""
    single = [
        each for compared in found.values() for each in compared if each.difference is not None
    ]
    attainable = [each for each in single if not each.point.preset.unattainable]
    attained = sum(each.verdict in ATTAINED for each in single)
    run = sum(any(each.runs for each in compared) for compared in found.values())
    with st.grid(3, min_column_width=180):
        st.metric(
            "Experiments run",
            f"{run} of {len(found)}",
            border=True,
            help="Experiments with at least one finished run. One of the eighteen is a corrected variant of another.",
        )
        st.metric(
            "Accuracy reached",
            f"{attained} of {len(attainable)}",
            border=True,
            help="Experiments whose accuracy is within the noise of seeds, within 0.3 points, or better.",
        )
        worst = min(attainable, key=lambda each: each.difference or 0.0, default=None)
        value = formatting.NOTHING if worst is None else formatting.points(worst.difference)
        st.metric(
            "Largest shortfall",
            value,
            border=True,
            help="" if worst is None else f"The experiment {worst.point.label}.",
        )


def describe(preset: Preset) -> None:
    """Say what an experiment teaches, and where its report is not to be taken at its word."""
    st.markdown(preset.summary)
    if preset.unattainable:
        st.warning(
            f"**Not attainable as described.** {preset.unattainable}", icon=":material/warning:"
        )
    if preset.caveat:
        st.info(preset.caveat, icon=":material/menu_book:")
    published = preset.published
    network = network_name(preset.config)
    source = f" Report: `{published.source}`." if published else ""
    st.caption(
        f"{network}, {optimizer_name(preset.config)}, batch {preset.config.batch_size}, {plural(preset.config.epochs, 'epoch')}.{source}"
    )
