"""From a drawing to an image like those of MNIST.

The preparation is that of LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (its page, about 1998): a digit is "size
normalized to fit in a 20x20 pixel box while preserving [its] aspect ratio", grey levels come from anti-aliasing, and it is "centered in a
28x28 image by computing the center of mass of the pixels, and translating the image so as to position this point at the center of the
28x28 field". That centre is the pixel (14, 14) counted from 0: the centre of mass of each of the 70,000 images lies within half a pixel
of it.

A drawing is strokes, not pixels, so its pen is chosen here: as wide, in proportion to the digit, as the strokes of MNIST. A small drawing
would be a blob otherwise.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from mnist_dash.errors import InvalidInput
from mnist_dash.text import plural

Point = tuple[float, float]
Strokes = tuple[tuple[Point, ...], ...]
"""Lines of points x, y in [0, 1], from the canvas's upper left corner."""

FIELD, BOX, CENTRE = 28, 20, 14
"""Sides of the image and of the box within it, and where the centre of mass goes, in pixels."""
PEN_SHARE = 0.13
"""Width of a stroke as a share of the digit's longer side: 2.6 of 20 pixels, about MNIST's own."""
MAX_STROKES, MAX_POINTS = 100, 5000
_OVERSAMPLING = 10
_SMALLEST = 0.05
"""Extent below which a drawing counts as a dot, as a share of the canvas."""
_TOLERANCE = 0.003
"""How far a stroke may be from the one that `encode_strokes` writes, as a share of the drawing's longer side."""
_STEPS = 4095


def parse_strokes(values: object) -> Strokes:
    """Check what a canvas has sent: lists of strokes of points x, y; points beyond the edge are put onto it.

    Raises:
        InvalidInput: it is no such list, or a larger one than a digit needs.
    """
    strokes = values if isinstance(values, list | tuple) else None
    if strokes is None or not all(
        isinstance(stroke, list | tuple) and all(map(_is_point, stroke)) for stroke in strokes
    ):
        raise InvalidInput(
            f"{str(values)[:40]!r} is no drawing (lists of points x, y). Draw it again."
        )
    n_points = sum(len(stroke) for stroke in strokes)
    if len(strokes) > MAX_STROKES or n_points > MAX_POINTS:
        raise InvalidInput(
            f"{plural(len(strokes), 'stroke')} with {plural(n_points, 'point')} are too many (at most {MAX_STROKES} and {MAX_POINTS:,}). "
            "Undo some strokes, or clear the canvas."
        )
    return tuple(
        tuple((_bounded(x), _bounded(y)) for x, y in stroke) for stroke in strokes if stroke
    )


def encode_strokes(strokes: Strokes) -> str:
    """Write a drawing as a short text for an address: each stroke with only the points that its shape needs."""
    if not strokes:
        return ""
    points = np.array([point for stroke in strokes for point in stroke], dtype=float)
    tolerance = _TOLERANCE * float(np.ptp(points, axis=0).max())
    numbers: list[int] = []
    for stroke in strokes:
        kept = _simplify(stroke, tolerance)
        numbers += [len(kept), *(round(value * _STEPS) for point in kept for value in point)]
    content = struct.pack(f">{len(numbers)}H", *numbers)
    return base64.urlsafe_b64encode(content).decode("ascii").rstrip("=")


def decode_strokes(text: str) -> Strokes:
    """Read what `encode_strokes` has written.

    Raises:
        InvalidInput: it has not.
    """
    try:
        if len(text) > 8 * MAX_POINTS:
            raise ValueError("it is too long")
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return parse_strokes(_split(content))
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(
            f"The drawing in the address, {text[:20]!r}, is cut off or altered. Copy the whole address."
        ) from error


def draw_strokes(strokes: Strokes) -> npt.NDArray[np.float64]:
    """Draw strokes with a round pen of `PEN_SHARE`, ten times as fine as the image will be.

    Returns:
        ``(height, width)`` ink in [0, 1], cropped to the drawing with its pen; the longer side has 200 pixels.

    Raises:
        ValueError: there is no stroke.
    """
    points = np.array([point for stroke in strokes for point in stroke], dtype=float)
    if not len(points):
        raise ValueError("The drawing is empty. Draw a digit first.")
    low = points.min(0)
    extent = max(float((points.max(0) - low).max()), _SMALLEST)
    side = BOX * _OVERSAMPLING
    scale = side * (1 - PEN_SHARE) / extent
    radius = side * PEN_SHARE / 2
    width, height = (math.ceil(float(span) * scale + 2 * radius) for span in points.max(0) - low)
    ink = np.zeros((height, width))
    for stroke in strokes:
        placed = (np.array(stroke) - low) * scale + radius
        for start, end in zip(placed, placed[1:] if len(placed) > 1 else placed, strict=False):
            _add_segment(ink, start, end, radius)
    return ink


def prepare(ink: npt.NDArray[np.floating] | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bring ink of any size into the form of MNIST's images, as the module says.

    Args:
        ink: ``(height, width)``, 0 is paper; any unit.

    Returns:
        ``(28, 28)`` uint8, 0 is background, the darkest ink is 255.

    Raises:
        ValueError: there is no ink.
    """
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    if not len(rows):
        raise ValueError("The drawing has no ink. Draw a digit first.")
    cropped = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(float)
    longer = max(cropped.shape)
    height, width = (max(1, round(side * BOX / longer)) for side in cropped.shape)
    small = (
        _area_shares(cropped.shape[0], height) @ cropped @ _area_shares(cropped.shape[1], width).T
    )
    top, left = (
        min(
            max(round(CENTRE - float(small.sum(1 - axis) @ np.arange(side) / small.sum())), 0),
            FIELD - side,
        )
        for axis, side in enumerate((height, width))
    )
    field = np.zeros((FIELD, FIELD), np.uint8)
    field[top : top + height, left : left + width] = np.rint(small / small.max() * 255)
    return field


def centre_of_mass(image: npt.NDArray[np.uint8]) -> Point:
    """Compute the centre of mass of an image, row and column, counted from the centre of the first pixel.

    ``(rows, columns)`` grey values -> two numbers in pixels.
    """
    weights = image.astype(float)
    row, column = (
        float(weights.sum(1 - axis) @ np.arange(image.shape[axis]) / weights.sum())
        for axis in (0, 1)
    )
    return row, column


def image_of(strokes: Strokes) -> npt.NDArray[np.uint8]:
    """Make the image ``(28, 28)`` uint8 of a drawing.

    Raises:
        ValueError: there is no stroke.
    """
    return prepare(draw_strokes(strokes))


def _add_segment(
    ink: npt.NDArray[np.float64],
    start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
    radius: float,
) -> None:
    """Draw one straight piece with round ends where it is darker than what is there.

    The canvas is ``(rows, columns)`` float, changed in place; points are in its pixels.
    """
    reach = radius + 1
    left, top = (max(0, math.floor(value - reach)) for value in np.minimum(start, end))
    right, bottom = (math.ceil(value + reach) for value in np.maximum(start, end))
    patch = ink[top:bottom, left:right]
    y, x = np.ogrid[top : top + patch.shape[0], left : left + patch.shape[1]]
    dx, dy = end - start
    length = float(dx * dx + dy * dy)
    along = (
        np.clip(((x + 0.5 - start[0]) * dx + (y + 0.5 - start[1]) * dy) / length, 0, 1)
        if length
        else 0.0
    )
    distance = np.hypot(x + 0.5 - start[0] - along * dx, y + 0.5 - start[1] - along * dy)
    np.maximum(patch, np.clip(radius + 0.5 - distance, 0, 1), out=patch)


def _area_shares(n_from: int, n_to: int) -> npt.NDArray[np.float64]:
    """Say how much of each old pixel each new one covers, ``(n_to, n_from)``; rows add up to 1."""
    edges = np.arange(n_to + 1) * (n_from / n_to)
    low, high = edges[:-1, None], edges[1:, None]
    pixels = np.arange(n_from)
    covered = np.clip(np.minimum(high, pixels + 1) - np.maximum(low, pixels), 0, None)
    shares: npt.NDArray[np.float64] = covered * (n_to / n_from)
    return shares


def _simplify(stroke: Sequence[Point], tolerance: float) -> list[Point]:
    """Leave out the points that a line between others already gives (Ramer, 1972; Douglas and Peucker, 1973)."""
    points = np.array(stroke, dtype=float)
    kept = {0, len(points) - 1}
    waiting = [(0, len(points) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        chord = points[last] - points[first]
        inner = points[first + 1 : last] - points[first]
        length = float(np.hypot(*chord))
        distances = (
            np.abs(inner[:, 0] * chord[1] - inner[:, 1] * chord[0]) / length
            if length
            else np.hypot(inner[:, 0], inner[:, 1])
        )
        farthest = int(distances.argmax())
        if distances[farthest] > tolerance:
            middle = first + 1 + farthest
            kept.add(middle)
            waiting += [(first, middle), (middle, last)]
    return [(float(points[index][0]), float(points[index][1])) for index in sorted(kept)]


def _split(content: bytes) -> list[list[Point]]:
    """Take strokes apart: the number of points, then x and y of each, two bytes a number."""
    if len(content) % 2:
        raise ValueError("it is cut short")
    numbers = struct.unpack(f">{len(content) // 2}H", content)
    strokes: list[list[Point]] = []
    place = 0
    while place < len(numbers):
        end = place + 1 + 2 * numbers[place]
        if end > len(numbers) or end == place + 1:
            raise ValueError("a stroke is cut short")
        values = [value / _STEPS for value in numbers[place + 1 : end]]
        strokes.append(list(zip(values[::2], values[1::2], strict=True)))
        place = end
    return strokes


def _is_point(value: object) -> bool:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    return all(
        isinstance(number, int | float) and math.isfinite(number)
        for number in cast("Sequence[object]", value)
    )


def _bounded(value: float) -> float:
    return min(max(float(value), 0.0), 1.0)
