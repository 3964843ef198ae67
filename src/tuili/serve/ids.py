"""Unpredictable random ids. One system call draws many of them, because each call may have to wait for the
interpreter's lock.
"""

from __future__ import annotations

import os

ID_BYTES = 16
IDS_AT_A_TIME = 128
_drawn: list[str] = []


def new_id() -> str:
    """A new id of 32 hexadecimal digits."""
    while True:
        try:
            return _drawn.pop()
        except IndexError:
            digits = os.urandom(ID_BYTES * IDS_AT_A_TIME).hex()
            _drawn.extend(digits[place : place + 2 * ID_BYTES] for place in range(0, len(digits), 2 * ID_BYTES))
