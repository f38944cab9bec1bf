"""The bytes of an ``.onnx`` file: the few messages of ONNX's protocol buffers that our networks need.

The package `onnx` writes the same bytes (a test compares them), but importing it takes longer than a page may take to open. Field numbers
are those of ``onnx.proto`` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3); fields are written in their order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Attribute = int | float | Sequence[int]
Dimensions = Sequence[int | str]
"""Sizes; a name where a size is free."""

TENSOR_TYPES: dict[str, int] = {"float32": 1, "uint8": 2, "int32": 6, "int64": 7}
"""``TensorProto.DataType`` by the name of a numpy type."""
_FLOAT, _INT, _INTS = 1, 2, 7
"""``AttributeProto.AttributeType``."""
_VARINT, _LENGTH, _FIXED32 = 0, 2, 5
"""Wire types."""


def node(
    operator: str,
    inputs: Iterable[str],
    outputs: Iterable[str],
    attributes: Mapping[str, Attribute],
) -> bytes:
    """Write a ``NodeProto``; its attributes are sorted by name."""
    named = (_field(5, _attribute(name, attributes[name])) for name in sorted(attributes))
    return b"".join(
        [
            *(_field(1, name) for name in inputs),
            *(_field(2, name) for name in outputs),
            _field(4, operator),
            *named,
        ]
    )


def tensor(name: str, values: npt.NDArray[np.generic]) -> bytes:
    """Write a ``TensorProto``: an array of any shape, of a type among `TENSOR_TYPES`."""
    raw = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    dimensions = (_field(1, size) for size in values.shape)
    return b"".join(
        [*dimensions, _field(2, TENSOR_TYPES[values.dtype.name]), _field(8, name), _field(9, raw)]
    )


def value(name: str, kind: str, dimensions: Dimensions) -> bytes:
    """Write a ``ValueInfoProto``: an input or an output with its type, a key of `TENSOR_TYPES`, and its sizes."""
    shape = b"".join(
        _field(1, _field(2 if isinstance(size, str) else 1, size)) for size in dimensions
    )
    return _field(1, name) + _field(2, _field(1, _field(1, TENSOR_TYPES[kind]) + _field(2, shape)))


def graph(
    name: str,
    *,
    nodes: Iterable[bytes],
    constants: Iterable[bytes],
    inputs: Iterable[bytes],
    outputs: Iterable[bytes],
) -> bytes:
    """Write a ``GraphProto`` from nodes in an order in which they can be computed, tensors and values."""
    parts = [(1, nodes), (5, constants), (11, inputs), (12, outputs)]
    fields = [
        b"".join(_field(number, message) for message in messages) for number, messages in parts
    ]
    return b"".join([fields[0], _field(2, name), *fields[1:]])


def model(
    graph: bytes, *, ir_version: int, opset: int, producer: str, properties: Mapping[str, str]
) -> bytes:
    """Write a ``ModelProto``: what an ``.onnx`` file holds.

    Args:
        graph: from `graph`.
        ir_version: of the file format.
        opset: version of the operators.
        producer: the name of the program.
        properties: kept as the model's metadata.
    """
    head = _field(1, ir_version) + _field(2, producer)
    operators = _field(8, _field(1, "") + _field(2, opset))
    about = b"".join(
        _field(14, _field(1, key) + _field(2, text)) for key, text in properties.items()
    )
    return b"".join([head, _field(7, graph), operators, about])


def _attribute(name: str, setting: Attribute) -> bytes:
    match setting:
        case int():
            kind, fields = _INT, _field(3, setting)
        case float():
            kind, fields = _FLOAT, _tag(2, _FIXED32) + struct.pack("<f", setting)
        case _:
            kind, fields = _INTS, b"".join(_field(8, number) for number in setting)
    return _field(1, name) + fields + _field(20, kind)


def _field(number: int, content: int | str | bytes) -> bytes:
    if isinstance(content, int):
        return _tag(number, _VARINT) + _varint(content)
    raw = content.encode() if isinstance(content, str) else content
    return _tag(number, _LENGTH) + _varint(len(raw)) + raw


def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(number: int) -> bytes:
    """Write seven bits a byte, the lowest first; a negative number as its two's complement of 64 bits."""
    rest = number % 2**64
    written = bytearray()
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*written, rest])
