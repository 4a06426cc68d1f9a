"""Start TensorFlow without its greetings."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def start_tensorflow(*, threads: int | None = None) -> None:
    """Import TensorFlow and Keras and choose the CPU, all without a word; seconds of work.

    Environment variables that the user has set win.

    Parameters
    ----------
    threads
        Size of the pool that runs one operation; None takes every core. Only the first call in
        a process can set it.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # The C++ side reads these while it is being imported, long before Python could turn its log
    # down (3: only fatal messages). A demo looks for no GPU.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with _held_back_stderr():
        import keras  # noqa: F401, PLC0415 - only after the environment has been set
        import tensorflow as tf  # noqa: PLC0415

        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.config.list_logical_devices()


@contextmanager
def _held_back_stderr() -> Iterator[None]:
    """Keep what is written to the process's stderr, by C++ too; show it only after an error.

    TensorFlow remarks on missing CUDA libraries before any setting of its log takes effect.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        original = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            held.seek(0)
            with open(original, "wb", closefd=False) as stderr:
                shutil.copyfileobj(held, stderr)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
