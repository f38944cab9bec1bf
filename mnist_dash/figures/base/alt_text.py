"""What a chart shows, in sentences with its figures: for those who cannot see it.

The sentences are made from the finished figure, so that they say what is drawn, whichever chart it is: a line's first, best and last value,
the ends of a cloud of points, the highest bars, a matrix's diagonal and its largest cells beside it.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mnist_dash.formatting import percent
from mnist_dash.text import plural

MOST_SENTENCES = 16
"""Traces that are described; the others are counted."""
MOST_NAMED = 12
"""Bars that are read out one by one; of more, only the highest are."""
N_LARGEST = 5
_LOWER_IS_BETTER = re.compile(r"\b(loss|errors?)\b", re.IGNORECASE)
_HIGHER_IS_BETTER = re.compile(r"\b(accuracy|right|hypervolume)\b", re.IGNORECASE)

Floats = npt.NDArray[np.float64]


def describe(figure_json: str) -> str:
    """Say in sentences what a figure shows, with its figures.

    Args:
        figure_json: a whole figure, from ``Figure.to_json``.

    Returns:
        One sentence a trace that can be seen, 16 at most; what its annotations say where there is no trace.
    """
    figure = json.loads(figure_json)
    layout = figure.get("layout", {})
    seen = [trace for trace in figure.get("data", ()) if _is_seen(trace)]
    joined = {trace.get("legendgroup") for trace in seen if "lines" in trace.get("mode", "")} - {
        None
    }
    shown = [
        trace for trace in seen if trace.get("mode") != "markers" or not _ends_a_line(trace, joined)
    ]
    said = [sentence for trace in shown if (sentence := _trace(trace, layout))]
    if not said:
        said = [_plain(note.get("text", "")) for note in layout.get("annotations", ())]
    more = [f"And {len(said) - MOST_SENTENCES} more"] if len(said) > MOST_SENTENCES else []
    return " ".join(f"{sentence}." for sentence in (*said[:MOST_SENTENCES], *more))


@dataclass(frozen=True)
class _Axis:
    """How one axis names and writes its values."""

    title: str
    is_share: bool
    is_visible: bool
    choices: Sequence[object] | None = None
    is_complement: bool = False
    """Whether what is drawn is 1 - value."""

    def write(self, value: object) -> str:
        """Write a value as the axis does: a share in per cent, a choice by its name."""
        if isinstance(value, str):
            return _plain(value)
        number = float(value)  # type: ignore[arg-type]
        if self.choices:
            return str(self.choices[min(max(round(number), 0), len(self.choices) - 1)])
        return percent(number) if self.is_share else write(number)

    def read(self, values: list[Any] | Floats) -> list[Any] | Floats:
        """Turn places on the axis into what they stand for."""
        return 1 - values if self.is_complement and isinstance(values, np.ndarray) else values

    def between(self, values: Floats) -> str:
        """Write the ends of what is there: ``epoch 1 to 7``."""
        low, high = self.write(values.min()), self.write(values.max())
        return f"{self.title} {low}{'' if low == high else f' to {high}'}".strip()

    def at(self, value: object) -> str:
        """Write a place on the axis: ``epoch 7``."""
        return f"{self.title} {self.write(value)}".strip()

    @property
    def direction(self) -> int:
        """1 where more is better, -1 where less is, 0 where nobody can say."""
        if _LOWER_IS_BETTER.search(self.title):
            return -1
        return 1 if _HIGHER_IS_BETTER.search(self.title) else 0


def write(value: float) -> str:
    """Write a number with four figures, or whole with its thousands apart: ``0.03125``, ``60,000``."""
    if abs(value) < 1e-14:
        return "0"
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}".replace("e-0", "e-")


def _is_seen(trace: Mapping[str, Any]) -> bool:
    return trace.get("visible", True) is True and trace.get("hoverinfo") != "skip"


def _ends_a_line(trace: Mapping[str, Any], joined: set[object]) -> bool:
    return trace.get("showlegend") is False and trace.get("legendgroup") in joined


def _trace(trace: Mapping[str, Any], layout: Mapping[str, Any]) -> str:
    kind = trace.get("type", "scatter")
    x, y = (_axis(layout, trace.get(f"{letter}axis", letter)) for letter in "xy")
    if kind in {"heatmap", "contour"}:
        return _matrix(trace, x, y)
    if kind == "parcoords":
        return _parallel(trace, layout)
    name = _plain(str(trace.get("name", "")))
    across, upwards = x.read(_values(trace.get("x"))), y.read(_values(trace.get("y")))
    if kind == "bar":
        said = _bars(trace, across, upwards, x, y)
    elif "lines" in trace.get("mode", "lines"):
        said = _lines(across, upwards, x, y)
    else:
        said = _points(across, upwards, x, y)
    # Several charts, whose lines have the same names.
    if name and "title" in layout.get("yaxis2", {}):
        name = f"{y.title}, {name}"
    return f"{name}: {said}" if name and said else said


def _axis(layout: Mapping[str, Any], letter: str) -> _Axis:
    found = layout.get(f"{letter[0]}axis{letter[1:]}", {})
    meta = layout.get("meta") or {}
    path = (meta.get("axes") or {}).get(letter)
    is_complement = letter in (meta.get("complements") or ())
    # Of charts in a row only the first names the axis they share.
    named = layout.get(f"{letter[0]}axis", {}) if "matches" in found else found
    title = _plain((named.get("title") or {}).get("text", "")).removeprefix("error rate, 1 − ")
    return _Axis(
        title=re.sub(r"\s*\(.*?\)|,.*", "", title),
        is_share=is_complement or "%" in (found.get("tickformat") or ""),
        is_visible=found.get("visible", True) is not False,
        choices=(meta.get("choices") or {}).get(path),
        is_complement=is_complement,
    )


def _values(found: object) -> list[Any] | Floats:
    """Read an array as Plotly writes it: a list, or bytes in base64."""
    if isinstance(found, Mapping):
        flat = np.frombuffer(base64.b64decode(found["bdata"]), dtype=found["dtype"]).astype(
            np.float64
        )
        shape = found.get("shape")
        return flat.reshape([int(side) for side in str(shape).split(",")]) if shape else flat
    values = [] if found is None else list(found)  # type: ignore[call-overload]
    if any(isinstance(value, str | list) for value in values):
        return values
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _lines(across: list[Any] | Floats, upwards: list[Any] | Floats, x: _Axis, y: _Axis) -> str:
    if not isinstance(upwards, np.ndarray):
        return ""
    finite = np.isfinite(upwards)
    if not finite.any():
        return ""
    if isinstance(across, np.ndarray) and not finite.all() and np.any(np.diff(across[finite]) < 0):
        return _many_lines(across, upwards, x, y)
    if (
        isinstance(across, np.ndarray)
        and not finite.all()
        and len(set(across[finite].tolist())) < finite.sum()
    ):
        return _many_lines(across, upwards, x, y)
    values, places = (
        upwards[finite],
        [place for place, known in zip(across, finite.tolist(), strict=True) if known],
    )
    first, last = (
        f"{y.write(values[0])} at {x.at(places[0])}",
        f"{y.write(values[-1])} at {x.at(places[-1])}",
    )
    if len(values) == 1:
        return first
    if values.min() == values.max():
        return f"{y.write(values[0])} all along, {x.at(places[0])} to {x.write(places[-1])}"
    lowest, highest = int(values.argmin()), int(values.argmax())
    if y.direction:
        best = highest if y.direction > 0 else lowest
        return f"{first}, best {y.write(values[best])} at {x.at(places[best])}, last {last}"
    inner = {"lowest": lowest, "highest": highest}
    between = [
        f"{word} {y.write(values[at])} at {x.at(places[at])}"
        for word, at in inner.items()
        if 0 < at < len(values) - 1
    ]
    return ", ".join([first, *between, f"last {last}"])


def _many_lines(across: Floats, upwards: Floats, x: _Axis, y: _Axis) -> str:
    """Say what lines have in common that are joined to one trace, a gap after each."""
    gaps = np.flatnonzero(~np.isfinite(upwards) | ~np.isfinite(across))
    pieces = [
        piece[np.isfinite(upwards[piece]) & np.isfinite(across[piece])]
        for piece in np.split(np.arange(len(upwards)), gaps)
    ]
    pieces = [piece for piece in pieces if len(piece)]
    if all(len(piece) > 1 and np.ptp(across[piece]) == 0 for piece in pieces):
        return f"{plural(len(pieces), 'mark')} at {', '.join(x.write(across[piece[0]]) for piece in pieces[:MOST_NAMED])} {x.title}".strip()
    if all(len(piece) > 1 and np.ptp(upwards[piece]) == 0 for piece in pieces):
        return _spans(
            np.array([across[piece].min() for piece in pieces]),
            np.array([np.ptp(across[piece]) for piece in pieces]),
            x,
        )
    ends = np.array([upwards[piece[-1]] for piece in pieces])
    said = f"{plural(len(pieces), 'line')}, ending between {y.write(ends.min())} and {y.write(ends.max())}"
    if not y.direction:
        return said
    every = np.concatenate(pieces)
    best = every[int((y.direction * upwards[every]).argmax())]
    return f"{said}, best {y.write(upwards[best])} at {x.at(across[best])}"


def _spans(starts: Floats, lengths: Floats, x: _Axis) -> str:
    last = float((starts + lengths).max())
    unit = f" {x.title}" if x.title else ""
    mean = f"{x.write(lengths.mean())} long on average"
    return f"{plural(len(starts), 'span')} from {x.write(starts.min())} to {x.write(last)}{unit}, {mean}"


def _points(across: list[Any] | Floats, upwards: list[Any] | Floats, x: _Axis, y: _Axis) -> str:
    n = len(upwards)
    if (
        not isinstance(upwards, np.ndarray)
        or not isinstance(across, np.ndarray)
        or not (x.is_visible and y.is_visible)
    ):
        return plural(n, "point") if n else ""
    known = np.isfinite(upwards) & np.isfinite(across)
    if not known.any():
        return ""
    upwards, across = upwards[known], across[known]
    best = int((upwards * (y.direction or 1)).argmax())
    if len(upwards) == 1:
        return f"{y.at(upwards[0])} at {x.at(across[0])}"
    said = f"{plural(len(upwards), 'point')}, {y.between(upwards)}, {x.between(across)}"
    word = "best" if y.direction else "highest"
    return said if y.choices else f"{said}, {word} {y.write(upwards[best])} at {x.at(across[best])}"


def _bars(
    trace: Mapping[str, Any],
    across: list[Any] | Floats,
    upwards: list[Any] | Floats,
    x: _Axis,
    y: _Axis,
) -> str:
    lies = trace.get("orientation") == "h"
    labels, lengths, names, values = (upwards, across, y, x) if lies else (across, upwards, x, y)
    if not isinstance(lengths, np.ndarray) or not len(lengths):
        return ""
    base = _values(trace.get("base"))
    if isinstance(base, np.ndarray) and len(base) == len(lengths) > 0:
        return _spans(base, lengths, values)
    written = [
        f"{values.write(length)} for {names.write(label)}"
        for label, length in zip(labels, lengths, strict=True)
    ]
    known = np.flatnonzero(np.isfinite(lengths) & (lengths != 0))
    if len(lengths) <= MOST_NAMED:
        return ", ".join(
            written[place] for place in range(len(written)) if np.isfinite(lengths[place])
        )
    largest = known[np.argsort(-lengths[known], kind="stable")[:N_LARGEST]]
    unit = f" {values.title}" if values.title else ""
    listed = ", ".join(
        f"{values.write(lengths[place])} at {names.write(labels[place])}" for place in largest
    )
    where = f" by {names.title}" if names.title else ""
    return f"{plural(len(known), 'bar')}{where}, together {values.write(float(lengths[known].sum()))}{unit}; the highest {listed}"


def _matrix(trace: Mapping[str, Any], x: _Axis, y: _Axis) -> str:
    cells = _values(trace.get("z"))
    grid = (
        cells
        if isinstance(cells, np.ndarray)
        else np.array([_values(row) for row in cells], dtype=np.float64)
    )
    if grid.ndim != 2 or not np.isfinite(grid).any():
        return ""
    across, upwards = (
        _places(trace, letter, size)
        for letter, size in (("x", grid.shape[1]), ("y", grid.shape[0]))
    )
    printed = trace.get("text")
    if isinstance(printed, list) and across == upwards and isinstance(across[0], str):
        return _confusion(
            np.array([[float(text or 0) for text in row] for row in printed]),
            [str(label) for label in across],
            x,
            y,
        )
    colour = trace.get("colorbar") or {}
    value = _Axis("", "%" in (colour.get("tickformat") or ""), is_visible=True)
    low, high = (
        np.unravel_index(np.nanargmin(grid), grid.shape),
        np.unravel_index(np.nanargmax(grid), grid.shape),
    )

    def where(cell: tuple[np.intp, ...]) -> str:
        names = (x.title or "column", y.title or "row")
        plane = [
            f"{name} {axis.write(place)}"
            for name, axis, place in zip(
                names, (x, y), (across[cell[1]], upwards[cell[0]]), strict=True
            )
        ]
        return " and ".join(plane)

    return (
        f"{grid.shape[0]} rows of {plural(grid.shape[1], 'value')}, lowest {value.write(grid[low])} at {where(low)}, "
        f"highest {value.write(grid[high])} at {where(high)}, mean {value.write(np.nanmean(grid))}"
    )


def _confusion(cells: Floats, labels: Sequence[str], x: _Axis, y: _Axis) -> str:
    diagonal = ", ".join(
        f"{write(float(cells[place, place]))} for {label}" for place, label in enumerate(labels)
    )
    beside = np.where(np.eye(len(cells), dtype=bool), 0.0, cells)
    order = np.argsort(-beside, axis=None, kind="stable")[:N_LARGEST]
    largest = [
        (place // len(cells), place % len(cells))
        for place in order.tolist()
        if beside.flat[place] > 0
    ]
    wrong = "; ".join(
        f"{y.title} {labels[row]}, {x.title} {labels[column]}: {write(float(cells[row, column]))}"
        for row, column in largest
    )
    return f"On the diagonal {diagonal}. " + (
        f"Largest beside it {wrong}" if wrong else "Nothing beside it"
    )


def _places(trace: Mapping[str, Any], letter: str, size: int) -> list[Any]:
    found = trace.get(letter)
    if found is not None:
        return list(_values(found))
    start, step = trace.get(f"{letter}0", 0), trace.get(f"d{letter}", 1)
    return [start + step * place for place in range(size)]


def _parallel(trace: Mapping[str, Any], layout: Mapping[str, Any]) -> str:
    dimensions = trace.get("dimensions", ())
    columns = [_values(dimension.get("values")) for dimension in dimensions]
    said = [
        _extent(dimension, np.asarray(values, dtype=np.float64), layout)
        for dimension, values in zip(dimensions, columns, strict=True)
    ]
    return f"{plural(len(columns[0]), 'line')} across {', '.join(said)}" if columns else ""


def _extent(dimension: Mapping[str, Any], values: Floats, layout: Mapping[str, Any]) -> str:
    meta = layout.get("meta") or {}
    path, title = dimension.get("name"), _plain(dimension.get("label", ""))
    choices = (meta.get("choices") or {}).get(path)
    if choices:
        counts = [int((np.round(values) == place).sum()) for place in range(len(choices))]
        return f"{title} ({', '.join(f'{choice} {count} times' for choice, count in zip(choices, counts, strict=True))})"
    low, high = dimension.get("range") or (-np.inf, np.inf)
    kept = values[np.isfinite(values)]
    below = dimension.get("ticktext", ())[:1] == ["not set"]
    kept = kept[(kept >= low) & (kept <= high) & ((kept > low) if below else True)]
    if not len(kept):
        return title
    ends = [float(kept.min()), float(kept.max())]
    if path in (meta.get("logs") or ()):
        ends = [10**end for end in ends]
    axis = _Axis(title, "%" in (dimension.get("tickformat") or ""), is_visible=True)
    return f"{title} {axis.write(ends[0])} to {axis.write(ends[1])}"


def _plain(text: str) -> str:
    return html.unescape(re.sub(r"</?\w[^>]*>", "", (text or "").replace("<br>", " "))).strip()
