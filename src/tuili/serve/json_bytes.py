"""JSON as bytes, by a fast library. Values are encoded and decoded as by the slower `json`, except as noted below."""

from __future__ import annotations

import json
from typing import Any

import msgspec

encode = msgspec.json.Encoder().encode
"""Encodes plain values as JSON, in UTF-8 and without spaces. Numbers that JSON cannot represent become null."""
_decode = msgspec.json.Decoder().decode


def decode(data: bytes) -> Any:
    """Decode JSON. Input that the fast library refuses is passed to `json`, which accepts more: other encodings, and
    numbers out of range. Raises what `json.loads` raises.
    """
    try:
        return _decode(data)
    except (ValueError, RecursionError):
        return json.loads(data)
