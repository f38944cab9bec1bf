"""Layers: what each layer computes and what it has learned."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from mnist_dash.core.layers import format_shape
from mnist_dash.runs.records import Run


def draw(run: Run) -> None:
    """Draw the view of an ended run."""
    st.subheader("Structure")
    layer_table(run)


def layer_table(run: Run) -> None:
    """Draw the table of layers: output shape, parameters and operations, with the arithmetic of each written out."""
    rows = [
        (
            layer.name,
            layer.summary,
            format_shape(layer.output_shape),
            layer.n_parameters,
            layer.flops,
            layer.shape_arithmetic,
            layer.parameter_arithmetic,
        )
        for layer in run.config.plan
    ]
    columns = ["Layer", "Settings", "Output", "Parameters", "Operations an image", "Shape, worked out", "Parameters, worked out"]
    localized = st.column_config.NumberColumn(format="localized")
    st.dataframe(
        pd.DataFrame(rows, columns=columns),
        hide_index=True,
        height="content",
        column_config={"Layer": st.column_config.TextColumn(pinned=True), "Parameters": localized, "Operations an image": localized},
        alt=f"Layers of run {run.id} with output shape, parameters and their arithmetic",
    )
    st.caption(f"{run.n_parameters:,} trained parameters; a multiplication and its addition count as two operations.")
