"""A folder of blobs that is full, and one that does not answer."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.bench.figure import Figure
from tests.faults.load import nothing_lost
from tests.faults.stack import LEASE_S, running_stack, wait_until

SIZE_KB = 1024
# The shortest that is allowed beside the lease of the experiment; the promise is that of the
# default lease.
JOB_LIMIT_S = LEASE_S
DEFAULT_LEASE_S = 30.0


def disk_full(*, jobs: int) -> Iterator[Figure]:
    """Fill the disk on which blobs are kept while jobs are in hands; later make room again."""
    with _small_disk() as disk:
        if disk is None:
            print("# disk_full left out: a tmpfs cannot be mounted here", file=sys.stderr)
            return
        ballast, blobs = disk / "ballast", disk / "blobs"
        with running_stack({"LIMELIGHT_BLOB_URL": f"file://{blobs}"}) as stack:
            stack.start_worker()
            stack.model_server.hang()
            posted = [stack.accepted() for _ in range(jobs)]
            stack.wait_for(posted[0], "processing")
            _fill(ballast)
            stack.model_server.release()
            wait_until(
                lambda: stack.job(posted[0]).get("waiting_for") == "storage",
                timeout_s=30,
                what="a job waits for storage",
            )
            refused = stack.post()
            visible = _pictures(blobs)
            broken = [one for one in visible if one.read_bytes()[-8:-4] != b"IEND"]
            ballast.unlink()
            yield from nothing_lost("disk_full", stack, at_least=jobs)
    yield Figure(
        name="disk_full: pictures visible in part", value=len(broken), unit="files", goal=0
    )
    yield Figure(
        name="disk_full: jobs accepted meanwhile", value=refused is not None, unit="jobs", goal=0
    )


def no_checkpoint(*, rounds: int) -> Iterator[Figure]:
    """Let a job wait for a file that never comes, where it cannot look whether it has to stop."""
    took = []
    kinds = set()
    with tempfile.TemporaryDirectory(prefix="limelight-blobs-") as name:
        settings = {
            "LIMELIGHT_BLOB_URL": f"file://{name}",
            "LIMELIGHT_JOB_LIMIT_S": str(JOB_LIMIT_S),
        }
        with running_stack(settings) as stack:
            stack.start_worker(concurrency=1)
            for _ in range(rounds):
                # A job that is under way lets the upload of the next be replaced by a pipe.
                stack.model_server.hang()
                stack.accepted()
                job_id = stack.accepted()
                (upload,) = Path(name).rglob(f"{job_id}/upload/image")
                upload.unlink()
                os.mkfifo(upload)
                stack.model_server.release()
                stack.wait_for(job_id, "processing")
                began = time.monotonic()
                stack.settle(timeout_s=60)
                took.append(time.monotonic() - began)
                kinds.add(str(stack.job(job_id).get("error")))
    yield Figure(
        name="no_checkpoint: jobs that ended in another way than timed-out",
        value=sum("timed-out" not in kind for kind in kinds), unit="jobs", goal=0,
    )  # fmt: skip
    yield Figure(
        name=f"no_checkpoint: longest, with a limit of {JOB_LIMIT_S:g} s",
        value=max(took), unit="s", goal=JOB_LIMIT_S + DEFAULT_LEASE_S,
    )  # fmt: skip


@contextmanager
def _small_disk() -> Iterator[Path | None]:
    """Mount a small file system in memory, if this user may."""
    with tempfile.TemporaryDirectory(prefix="limelight-disk-") as name:
        size = f"size={SIZE_KB}k"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", size, "limelight-faults", name],
            check=False,
            capture_output=True,
        )
        if mounted.returncode:
            yield None
            return
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=True)


def _fill(ballast: Path) -> None:
    """Leave no room at all."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 1024)


def _pictures(folder: Path) -> list[Path]:
    return list(folder.rglob("*.png"))
