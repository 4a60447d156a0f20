"""How glibc's allocator treats memory that a process frees: it keeps it, where the same sizes come again.

A ranking makes and frees a dozen arrays of some hundred kilobytes. By default glibc hands freed memory above
128 KiB back to the kernel and asks for it again a moment later, which the kernel clears page by page: half of
the time of the ranking network's 500 rows went into page faults.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT_BYTES = 256 * 2**20
_HEAP_BYTES = 32 * 2**20
"""Above this every array has its own mapping, and is given back when freed; glibc's own upper bound."""


def keep_freed_memory() -> bool:
    """Keep up to 256 MiB of freed memory in this process; says whether the allocator takes such wishes.

    Another one than glibc's (macOS, musl) does as it does. A second call changes nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)) and bool(mallopt(_MMAP_THRESHOLD, _HEAP_BYTES))
