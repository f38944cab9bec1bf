"""A figure's own colours, for where no page gives it those of its theme: a notebook, an image."""

from __future__ import annotations

import plotly.graph_objects as go

CATEGORICAL = (
    "#0072b2",
    "#d55e00",
    "#00805e",
    "#b3478a",
    "#a36a00",
    "#2f8fc4",
    "#5b5b5b",
    "#1b1b1b",
    "#aa22ff",
    "#771100",
)
"""Chart colours of the light theme: Okabe and Ito (2008), darker where a white background needs it."""
SEQUENTIAL = (
    "#f7fafc",
    "#e3eef6",
    "#c9dfee",
    "#a9cce3",
    "#82b5d6",
    "#5a9bc7",
    "#3681b5",
    "#19689f",
    "#075084",
    "#023a63",
)
TEXT = "#17212b"


def painted(figure: go.Figure) -> go.Figure:
    """Give a copy in the colours of the light theme, on white, as ``chart_paint.js`` does on pages."""
    copy = go.Figure(figure)
    # Beside the legend, not on it.
    copy.update_layout(template="plotly_white", font={"color": TEXT}, modebar={"orientation": "v"})
    for trace in copy.data:
        meta = trace.meta or {}
        if "color" in meta:
            color = (
                TEXT if meta["color"] == "text" else CATEGORICAL[meta["color"] % len(CATEGORICAL)]
            )
            trace.update(line={"color": color}, marker={"color": color})
        if "scale" in meta:
            trace.update(colorscale=list(SEQUENTIAL))
    return copy
