"""Messages as bytes that follow from their fields alone.

Where CDR aligns a field, the middleware leaves whatever its buffer held before. Here these bytes
are zero, so that a message always makes the same input.
"""

from __future__ import annotations

import re
import struct
from functools import cache
from typing import Any, Final

import numpy as np

_FORMATS: Final = {
    "boolean": "?", "octet": "B", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H",
    "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q", "float": "f", "double": "d",
}  # fmt: skip
_HEADER: Final = 4
"""Bytes that name the representation; alignment counts from behind them."""


def without_remains(message: Any) -> bytes:
    """A message in CDR, with zeros between its fields.

    Raises:
        Exception: of many kinds, where a field does not fit its type.
    """
    from rclpy.serialization import serialize_message

    raw = bytes(serialize_message(message))
    own = bytearray(raw[:_HEADER])
    _write(own, message)
    filled_up = len(raw) - len(own)  # to whole words
    return bytes(own) + bytes(filled_up) if 0 <= filled_up < 4 else raw


def _write(out: bytearray, message: Any) -> None:
    for name, kind in message.get_fields_and_field_types().items():
        _field(out, kind, getattr(message, name))


def _field(out: bytearray, kind: str, value: Any) -> None:
    of_many, counted = _of_many(kind)
    if of_many:
        _sequence(out, of_many, value, counted=counted)
    elif "/" in kind:
        _write(out, value)
    elif kind.startswith("string"):
        letters = value.encode() + b"\0"
        _number(out, "uint32", len(letters))
        out += letters
    else:
        _number(out, kind, value[0] if isinstance(value, bytes) else value)


@cache
def _of_many(kind: str) -> tuple[str, bool]:
    """The type of the items of a sequence or array, and whether their number is written."""
    found = re.fullmatch(r"sequence<(.+?)(?:, \d+)?>|(.+)\[\d+\]", kind)
    return (found[1] or found[2], found[1] is not None) if found else ("", False)


def _sequence(out: bytearray, kind: str, items: Any, *, counted: bool) -> None:
    if counted:
        _number(out, "uint32", len(items))
    if kind in _FORMATS:
        form = _FORMATS[kind]
        _align(out, struct.calcsize(form))  # also where there are none
        items = b"".join(items) if kind == "octet" else items
        items = np.frombuffer(items, np.uint8) if isinstance(items, bytes) else items
        out += np.asarray(items).astype(np.dtype(form).newbyteorder("<")).tobytes()
        return
    for item in items:
        _field(out, kind, item)


def _number(out: bytearray, kind: str, value: Any) -> None:
    form = _FORMATS[kind]
    _align(out, struct.calcsize(form))
    out += struct.pack("<" + form, value)


def _align(out: bytearray, size: int) -> None:
    out += bytes(-(len(out) - _HEADER) % size)
