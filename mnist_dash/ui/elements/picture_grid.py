"""Many small pictures as one: a grid that fits the width, tells what is under the pointer and what was clicked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st

from mnist_dash.core.export.png import data_uri

_GRID = st.components.v2.component(
    "mnist_dash_picture_grid",
    html="""
<div class="picture-grid">
  <canvas role="img"></canvas>
</div>
""",
    css="""
canvas { display: block; width: 100%; border-radius: 4px; outline-offset: 2px; }
canvas.clickable { cursor: pointer; }
canvas:focus-visible { outline: 2px solid var(--st-primary-color); }
""",
    js=(Path(__file__).parent / "picture_grid.js").read_text(encoding="utf-8"),
)


def picture_grid(
    images: npt.NDArray[np.uint8],
    *,
    key: str,
    alt: str,
    columns: tuple[int, int],
    titles: Sequence[str] = (),
    captions: Sequence[str] = (),
    selected: int | None = None,
    clickable: bool = False,
    max_side: int = 64,
) -> int | None:
    """Draw pictures in rows.

    Args:
        images: ``(N, 28, 28)`` uint8, 0 is drawn black.
        key: names the grid on its page.
        alt: what it shows, for those who cannot see it.
        columns: pictures in a row on a desk and on a phone.
        titles: what is said of each when the pointer is over it.
        captions: a word below each.
        selected: the one that is framed.
        clickable: whether clicks are reported; arrow keys and Enter do the same.
        max_side: the largest side of a picture, in pixels.

    Returns:
        The position of the picture that was clicked, in the one rerun that the click causes; else None.
    """
    data = {
        "sprite": data_uri(images.reshape(-1, images.shape[-1])),
        "n": len(images),
        "side": images.shape[-1],
        "columns": columns,
        "titles": list(titles),
        "captions": list(captions),
        "selected": selected,
        "clickable": clickable,
        "max_side": max_side,
        "alt": alt,
    }
    clicked: int | None = _GRID(
        key=key, data=data, height="content", on_clicked_change=_ignore
    ).clicked
    return clicked if isinstance(clicked, int) and 0 <= clicked < len(images) else None


def _ignore() -> None:
    """Let the click arrive as a returned value."""
