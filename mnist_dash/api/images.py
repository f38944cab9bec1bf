"""Images as a notebook has them -> grey values as networks take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mnist_dash.errors import InvalidInput

SIDE = 28


def grey_values(images: Any) -> npt.NDArray[np.uint8]:  # noqa: ANN401 - any array, torch's and PIL's included
    """Give images as ``(n, 28, 28)`` uint8, 0 is background.

    Args:
        images: ``(n, 28, 28)``, ``(n, 1, 28, 28)``, ``(n, 784)`` or one image ``(28, 28)``; whole numbers from 0 to 255, or floats from
            0 to 1, which are rounded to the nearest of 256 grey values.

    Raises:
        InvalidInput: the shape or the values are others.
    """
    array = np.asarray(images)
    if array.dtype.kind not in "uifb":
        raise InvalidInput(
            f"images: values of type {array.dtype} are no grey values (numbers). Pass an array of numbers."
        )
    array = _shaped(array)
    whole = array.dtype.kind in "uib"
    high = 255 if whole and array.dtype.kind != "b" else 1
    if array.size and not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= high):
        raise InvalidInput(
            f"images: values from {array.min():g} to {array.max():g} are no grey values "
            "(whole numbers from 0 to 255, or floats from 0 to 1). "
            "Scale them, or convert them to uint8."
        )
    return (
        array.astype(np.uint8)
        if high == 255
        else np.rint(array.astype(np.float64) * 255).astype(np.uint8)
    )


def _shaped(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    shape = array.shape
    if shape[-2:] == (SIDE, SIDE) and (len(shape) in (2, 3) or (len(shape) == 4 and shape[1] == 1)):
        return array.reshape(-1, SIDE, SIDE)
    if len(shape) == 2 and shape[1] == SIDE**2:
        return array.reshape(-1, SIDE, SIDE)
    raise InvalidInput(
        f"images: the shape {shape} is no list of images ((n, 28, 28)). Reshape the array, or resize the images."
    )
