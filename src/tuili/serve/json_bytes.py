"""JSON as bytes, by a fast library. Every value is written and read as `json` would, its slow twin."""

from __future__ import annotations

import json
from typing import Any

import msgspec

encode = msgspec.json.Encoder().encode
"""The JSON of plain values, in UTF-8 and without spaces. Numbers that JSON does not have become null."""
_decode = msgspec.json.Decoder().decode


def decode(data: bytes) -> Any:
    """The value of some JSON. What the fast library refuses is left to `json`, which takes more: other encodings, and
    numbers out of range. Raises what `json.loads` raises.
    """
    try:
        return _decode(data)
    except (ValueError, RecursionError):
        return json.loads(data)
