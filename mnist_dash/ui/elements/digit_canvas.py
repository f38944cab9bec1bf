"""A canvas for drawing a digit by finger, pen or mouse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from mnist_dash.core.data.drawing import PEN_SHARE, Strokes, parse_strokes

_TYPICAL_SHARE = 0.7
"""Share of the canvas that a digit usually fills; the pen on the screen is as wide as it will be for such a one."""
_CANVAS = st.components.v2.component(
    "mnist_dash_digit_canvas",
    html="""
<div class="digit-canvas">
  <canvas tabindex="0" role="img"></canvas>
  <div class="tools">
    <button type="button" class="undo">Undo stroke</button>
    <button type="button" class="clear">Clear</button>
  </div>
</div>
""",
    css="""
.digit-canvas { max-width: 340px; }
canvas {
  display: block; box-sizing: border-box; width: 100%; aspect-ratio: 1; touch-action: none; cursor: crosshair; user-select: none;
  background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
}
canvas:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
.tools { display: flex; gap: 0.5rem; margin-top: 0.5rem; }
button {
  flex: 1; min-height: 2.5rem; font: inherit; font-family: var(--st-font); color: var(--st-text-color); cursor: pointer;
  background: var(--st-background-color); border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius);
}
button:hover:enabled { border-color: var(--st-primary-color); color: var(--st-primary-color); }
button:disabled { opacity: 0.4; cursor: default; }
""",
    js=(Path(__file__).parent / "digit_canvas.js").read_text(encoding="utf-8"),
)


def digit_canvas(shown: Strokes, *, round_number: int, key: str) -> Strokes:
    """Draw the canvas and give what is on it; every stroke that ends reruns the script.

    Args:
        shown: what to put onto it when a round begins.
        round_number: a new number begins a new round: what was drawn before is gone. Within a round the browser's strokes count.
        key: names the canvas on its page.

    Raises:
        InvalidInput: what the browser has sent is no drawing, or too large a one.
    """
    data = {"round": round_number, "strokes": shown, "pen": PEN_SHARE * _TYPICAL_SHARE}
    answer: Any = _CANVAS(key=key, data=data, height="content", on_drawn_change=_ignore).drawn
    if not isinstance(answer, dict) or answer.get("round") != round_number:
        return shown
    return parse_strokes(answer.get("strokes"))


def _ignore() -> None:
    """Let the strokes arrive as a returned value."""
