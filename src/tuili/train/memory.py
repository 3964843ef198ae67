"""What a training process does with the memory of tensors that it frees: it keeps it for the tensors of the next step.

The C library gives such memory back to the system and asks for it anew, some hundred times a step; each time the system
clears it page by page, which is up to a tenth of a step of a small model.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Options of glibc's `mallopt`, as `malloc.h` numbers them."""
OPTIONS = ((M_MMAP_THRESHOLD, 32 << 20), (M_TRIM_THRESHOLD, (1 << 31) - 1), (M_TOP_PAD, 64 << 20))
"""In bytes: larger blocks than the first number are given back in any case, which is the most that glibc takes."""


def keep_freed_memory() -> bool:
    """Let this process keep it; False where its C library has no such option, and nothing changes."""
    try:
        choose = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library; another system
        return False
    return all(choose(option, value) == 1 for option, value in OPTIONS)
