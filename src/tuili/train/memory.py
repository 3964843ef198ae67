"""Lets a training process keep the memory of freed tensors for the tensors of the next step.

By default the C library returns such memory to the system and requests it again, some hundred times a step. The system
then clears it page by page each time, which takes up to a tenth of a step of a small model.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Options of glibc's `mallopt`, as `malloc.h` numbers them."""
OPTIONS = ((M_MMAP_THRESHOLD, 32 << 20), (M_TRIM_THRESHOLD, (1 << 31) - 1), (M_TOP_PAD, 64 << 20))
"""In bytes. Blocks larger than the first number, the most that glibc accepts, are always returned to the system."""


def keep_freed_memory() -> bool:
    """Make this process keep freed memory. Returns False, and changes nothing, if its C library has no such option."""
    try:
        choose = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library; another system
        return False
    return all(choose(option, value) == 1 for option, value in OPTIONS)
