"""One thread for linear algebra, so that the same request gives the same bits."""

from __future__ import annotations

from threadpoolctl import threadpool_limits


def one_thread() -> threadpool_limits:
    """Keep BLAS on one thread while a ``with`` block runs.

    With several threads the order of additions, and so the last bits, would depend on the number
    of cores. It holds for the libraries that are loaded when the block begins: one that is imported
    inside a block needs a block of its own after the import.
    """
    return threadpool_limits(limits=1, user_api="blas")
