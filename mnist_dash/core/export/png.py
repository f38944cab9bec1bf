"""Pictures of few pixels as PNG, with the standard library alone, for what embeds them in a page or a figure."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Write a grey picture ``(height, width)`` uint8, 0 black, as a PNG file (ISO/IEC 15948)."""
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8 bits, grey, no interlacing
    # Filter 0 before each row.
    rows = np.concatenate(
        [np.zeros((height, 1), np.uint8), pixels.astype(np.uint8, copy=False)], axis=1
    )
    return (
        _SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + _chunk(b"IEND", b"")
    )


def data_uri(pixels: npt.NDArray[np.uint8]) -> str:
    """Write a grey picture ``(height, width)`` uint8 as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels)).decode("ascii")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )
