"""Many images as one element: a grid that fits its width, each tile with its words and, when wanted, ten probability bars.

The images travel as one picture that the browser cuts; colours come from the theme of the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st

from mnist_dash.core.export.png import data_uri
from mnist_dash.ui.elements.sprite import cut_out

SPRITE_COLUMNS = 32
_HERE = Path(__file__).parent
_GRID = st.components.v2.component(
    "mnist_dash_digit_grid",
    html="<div class='digit-grid' role='list'></div>\n<!-- one button an image -->",
    css=(_HERE / "digit_grid.css").read_text(encoding="utf-8"),
    js=cut_out() + (_HERE / "digit_grid.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Tile:
    """What stands beside one image.

    Attributes:
        image: reported when the tile is clicked.
        title: the first line; empty for none.
        note: the second line; empty for none.
        spoken: the tile in a sentence, for those who cannot see it, and on hover.
        bars: probability of each class; none are drawn when empty.
        true: class whose bar is marked as the true one.
        predicted: class whose bar is marked as the predicted one.
    """

    image: int
    spoken: str
    title: str = ""
    note: str = ""
    bars: tuple[float, ...] = ()
    true: int | None = None
    predicted: int | None = None


def digit_grid(
    pixels: npt.NDArray[np.uint8],
    tiles: Sequence[Tile],
    *,
    key: str,
    class_names: Sequence[str],
    size: int = 84,
    selected: int | None = None,
) -> int | None:
    """Draw a grid of images.

    Args:
        pixels: ``(N, 28, 28)``, one image a tile.
        tiles: as many, in the same order.
        key: names the grid on its page.
        class_names: stand below the bars.
        size: of an image, in pixels; multiples of 28 are sharp.
        selected: the image whose tile is framed.

    Returns:
        The image of the tile that was clicked, in the one rerun that the click causes; else None.
    """
    data = {
        "sprite": data_uri(sprite(pixels)),
        "columns": SPRITE_COLUMNS,
        "rows": max(1, math.ceil(len(tiles) / SPRITE_COLUMNS)),
        "tiles": [
            asdict(tile) | {"bars": [round(share, 4) for share in tile.bars]} for tile in tiles
        ],
        "names": list(class_names),
        "size": size,
        "selected": selected,
    }
    clicked: int | None = _GRID(
        key=key, data=data, height="content", on_clicked_change=_ignore
    ).clicked
    return clicked


def sprite(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Lay images ``(N, 28, 28)`` side by side, 32 a row, into one picture; free places are 0."""
    rows = max(1, math.ceil(len(pixels) / SPRITE_COLUMNS))
    places = np.zeros((rows * SPRITE_COLUMNS, 28, 28), dtype=np.uint8)
    places[: len(pixels)] = pixels
    return (
        places.reshape(rows, SPRITE_COLUMNS, 28, 28)
        .swapaxes(1, 2)
        .reshape(rows * 28, SPRITE_COLUMNS * 28)
    )


def _ignore() -> None:
    """Let the click arrive as a returned value."""
