"""What the C library does with memory that was freed."""

from __future__ import annotations

import ctypes

# Parameters of glibc's mallopt, from its malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
# Above the largest call that is sent (32 MB), and what a job needs of such blocks at a time.
_BLOCK = 64 * 2**20
_KEPT = 256 * 2**20


def keep_freed_memory() -> None:
    """Let the memory of one batch serve the next, in this process and in those forked from it.

    Else every batch, tensor and request is mapped anew and its pages are zeroed by the kernel at
    the first touch, which takes several times as long as filling them: 0.4 ms for an image of
    224 by 224 as float32. Nothing happens where the C library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _BLOCK)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
