"""How the layers of a run changed from epoch to epoch: weights, activations, dead units."""

from __future__ import annotations

import streamlit as st

from mnist_dash.core.analysis.layer_statistics import LayerMeasurement
from mnist_dash.figures.run.layer_history import draw_dead_units, draw_spreads
from mnist_dash.runs.query.layer_history import LayerHistory, layer_history
from mnist_dash.runs.store.records import Run
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.elements.live_plot import live_plot

_HEIGHT = 300


def by_epoch(run: Run) -> None:
    """Draw the changes of a chosen layer, and the dead units of all; or say why there is nothing to draw."""
    measured = _history(store().settings.database_url, run.id, run.revision)
    if not measured:
        st.caption(
            "This run has no layer measurements. It ended before its first epoch, or an older version trained it."
        )
        return
    names = list(next(iter(measured.values())))
    chosen = st.selectbox("Layer", names, key="changes", bind="query-params", width=280) or names[0]
    spreads = {epoch: layers[chosen] for epoch, layers in measured.items() if chosen in layers}
    with st.grid(3, min_column_width=300):
        with st.container():
            st.markdown(f"**Weights of {chosen}**")
            _weights(chosen, spreads)
        with st.container():
            st.markdown(
                f"**Activations of {chosen}**"
                + (", before the softmax" if chosen == names[-1] else "")
            )
            figure = draw_spreads(
                list(spreads), [layer.activations for layer in spreads.values()], what="activation"
            )
            live_plot(
                str(figure.to_json()),
                key="layers_by_epoch_activations",
                alt=f"Activations of {chosen} by epoch",
                height=_HEIGHT,
            )
        with st.container():
            st.markdown("**Dead units, all ReLU layers**")
            _dead(measured)
    st.caption(
        "Measured after at most 100 of the epochs. Activations and dead units are those of the first 500 validation images."
    )


@st.cache_resource(show_spinner=False, max_entries=64)
def _history(_database_url: str, run_id: str, revision: int) -> LayerHistory:  # noqa: ARG001 - the revision is part of the cache's key
    return layer_history(store(), run_id)


def _weights(name: str, measured: dict[int, LayerMeasurement]) -> None:
    spreads = {
        epoch: layer.weights for epoch, layer in measured.items() if layer.weights is not None
    }
    if spreads:
        figure = draw_spreads(list(spreads), list(spreads.values()), what="weight")
        alt = f"Weights of {name} by epoch"
        live_plot(str(figure.to_json()), key="layers_by_epoch_weights", alt=alt, height=_HEIGHT)
    else:
        st.caption("This layer has no weights.")


def _dead(measured: LayerHistory) -> None:
    first = next(iter(measured.values()))
    shares = {
        name: [layers[name].dead or 0.0 for layers in measured.values() if name in layers]
        for name, layer in first.items()
        if layer.dead is not None
    }
    if shares:
        figure = draw_dead_units(list(measured), shares)
        live_plot(
            str(figure.to_json()),
            key="layers_by_epoch_dead",
            alt="Fraction of dead units by epoch and layer",
            height=_HEIGHT,
        )
    else:
        st.caption("No layer ends in ReLU.")
