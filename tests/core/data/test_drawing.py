"""Drawings become images like MNIST's."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as some

from mnist_dash.core.data.drawing import (
    Strokes,
    centre_of_mass,
    decode_strokes,
    draw_strokes,
    encode_strokes,
    image_of,
    parse_strokes,
    prepare,
)
from mnist_dash.core.data.idx import read_images
from mnist_dash.errors import InvalidInput


def three(*, x: float = 0.5, y: float = 0.5, size: float = 0.3, n: int = 24) -> Strokes:
    """A 3 of two arcs around a centre, `size` high either way."""
    upper = [
        (x + 0.8 * size / 2 * math.sin(t), y - size / 2 - size / 2 * math.cos(t))
        for t in np.linspace(-1.1, math.pi, n)
    ]
    lower = [
        (x + size / 2 * math.sin(t), y + size / 2 - size / 2 * math.cos(t))
        for t in np.linspace(0, math.pi + 1.1, n)
    ]
    return (tuple(upper + lower),)


def test_place_and_size_of_a_drawing_do_not_matter() -> None:
    """A 3 that is shifted and more than twice as large gives nearly the same image."""
    small, large = (
        image_of(three(x=0.3, y=0.4, size=0.15)),
        image_of(three(x=0.55, y=0.5, size=0.4)),
    )
    assert np.abs(small.astype(int) - large.astype(int)).mean() < 2
    assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > 0.99


@pytest.mark.parametrize(
    "strokes",
    [
        three(),
        (((0.1, 0.2), (0.12, 0.9)),),
        (((0.1, 0.5), (0.9, 0.5), (0.9, 0.6)),),
        (((0.4, 0.4),),),
    ],
)
def test_longer_side_is_twenty_and_the_centre_of_mass_in_the_middle(strokes: Strokes) -> None:
    """Whatever was drawn: a 3, a 1, a bar with a hook, a dot."""
    image = image_of(strokes)
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    if len(strokes[0]) > 1:
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert centre_of_mass(image) == pytest.approx((14, 14), abs=0.51)
    assert image.max() == 255


def test_a_tenfold_mnist_image_comes_back(tmp_path: Path) -> None:
    """Images of MNIST, enlarged and put elsewhere, are prepared to themselves: the box and the centre are LeCun's."""
    for image in read_images("mnist", "test", tmp_path)[:50]:
        enlarged = np.pad(np.kron(image, np.ones((10, 10), np.uint8)), ((7, 90), (55, 3)))
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        if max(np.ptp(rows), np.ptp(columns)) + 1 == 20:
            np.testing.assert_allclose(prepare(enlarged).astype(int), image, atol=2)


def test_area_is_averaged_by_hand() -> None:
    """A bar of 40 x 8 shrinks to 20 x 4 with the mean of each 2 x 2, and the darkest becomes 255."""
    ink: npt.NDArray[np.float64] = np.ones((40, 8))
    ink[0, 0] = 0  # one of the four parts of the upper left pixel
    image = prepare(ink)
    (row, column) = np.argwhere(image)[0]
    block = image[row : row + 20, column : column + 4]
    assert block[0, 0] == round(255 * 3 / 4)
    assert (block.ravel()[1:] == 255).all()
    assert image.astype(int).sum() == block.astype(int).sum()


def test_no_ink_is_refused() -> None:
    """An empty drawing has no image."""
    with pytest.raises(ValueError, match="has no ink"):
        prepare(np.zeros((9, 9)))
    with pytest.raises(ValueError, match="is empty"):
        draw_strokes(())


def test_address_brings_the_drawing_back() -> None:
    """The text is short, and the image of what it says nearly the same."""
    for strokes in (three(n=200), three(n=200, size=0.08)):
        text = encode_strokes(strokes)
        assert len(text) < 300
        again = image_of(decode_strokes(text))
        assert np.abs(again.astype(int) - image_of(strokes).astype(int)).mean() < 1
    assert decode_strokes(encode_strokes(())) == ()


@given(some.text(max_size=60))
def test_any_text_is_a_drawing_or_a_sentence(text: str) -> None:
    """Nothing in an address breaks the page."""
    with contextlib.suppress(InvalidInput):
        assert all(
            0 <= value <= 1
            for stroke in decode_strokes(text)
            for point in stroke
            for value in point
        )


def test_address_that_is_cut_off_is_a_sentence() -> None:
    """Rule and remedy."""
    with pytest.raises(InvalidInput, match="Copy the whole address"):
        decode_strokes(encode_strokes(three())[:-3])


@pytest.mark.parametrize(
    "sent", ["text", [[0.1, 0.2]], [[[0.1]]], [[[math.nan, 0.1]]], [[["0", 1]]], None]
)
def test_what_is_no_drawing_is_refused(sent: object) -> None:
    """What comes from a browser is checked."""
    with pytest.raises(InvalidInput, match="Draw it again"):
        parse_strokes(sent)


def test_endless_drawing_is_refused() -> None:
    """There is a limit, and a remedy."""
    with pytest.raises(
        InvalidInput, match=r"1 stroke with 6,000 points are too many \(at most 100 and 5,000\)"
    ):
        parse_strokes([[[0.1, 0.2]] * 6000])
    assert parse_strokes([[[-1, 0.5], [0.5, 2]], []]) == (((0.0, 0.5), (0.5, 1.0)),)
