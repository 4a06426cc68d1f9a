"""Folders of temporary files, which are gone in the end even where their process was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.util import Finalize
from pathlib import Path

# So long after it was made, a folder is locked or abandoned.
_LOCKED_WITHIN_S = 10.0


@contextmanager
def temporary_folder(prefix: str, directory: Path | None = None) -> Iterator[Path]:
    """Make a folder, and remove it after, with those that killed processes have left.

    It is locked by this process and those that are forked from it, and the kernel unlocks it when
    the last of them has ended, however that was. So what is unlocked is of no use to anybody.

    Parameters
    ----------
    prefix : str
        What the names of such folders begin with, and no others.
    directory : Path, optional
        Where they lie; where temporary files lie (``TMPDIR``) if None.
    """
    parent = Path(tempfile.gettempdir()) if directory is None else directory
    for path in parent.glob(f"{prefix}*"):
        _remove_if_abandoned(path)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    owner, lock = os.getpid(), os.open(folder, os.O_RDONLY)
    # Where there are no locks, nothing is taken for abandoned.
    with suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def own_temporary_files() -> Iterator[None]:
    """Have all temporary files of this process, and of those forked from it, in one folder.

    It is removed when the process ends, after what multiprocessing has made in it: that removes
    its own by then, and complains with a trace if it is gone.
    """
    with ExitStack() as leaving:
        folder = leaving.enter_context(temporary_folder("limelight-run-"))
        before, tempfile.tempdir = tempfile.tempdir, str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before
            # Its own have -100.
            Finalize(None, leaving.pop_all().close, exitpriority=-101)


def _remove_if_abandoned(path: Path) -> None:
    # Others share the directory: what is not ours, or just vanishes, is passed over.
    with suppress(OSError):
        found = path.lstat()
        if found.st_uid != os.getuid() or time.time() - found.st_mtime < _LOCKED_WITHIN_S:
            return
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(folder)
