"""Real workers: how many images a second they get scored, and how much memory that takes."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.bench.figure import Figure, median_ratio
from tests.bench.peers.rig import BARE_SIZES, CALLS, Cost, Rig, rig, so_far
from tests.bench.peers.workers import Workers, running_workers
from tests.support.models import efficientnet_lite0, large_efficientnet, running_model_server
from worker.serving.profile import ModelProfile

NETWORK = "efficientnet-lite0"
PROCESSES = 2
JOBS = 4
ROUNDS = 5
# A client that asks all the time takes the processors from those that work.
_POLL_S = 0.3
FIXED = {"options.stopping": "fixed", "options.samples": str(CALLS)}


def measure_throughput() -> Iterator[Figure]:
    """Four jobs queued on two processes beside the bare client, round by round."""
    ours, bare = [], []
    with rig(NETWORK) as served, running_workers(served.profile, processes=PROCESSES) as workers:
        size = min(BARE_SIZES, key=lambda rows: served.bare(rows).cpu_s)
        _queue(served, workers, seeds=range(1000, 1000 + PROCESSES))  # Learns the pace.
        for number in range(ROUNDS):
            bare.append(served.bare(size))
            ours.append(_queue(served, workers, seeds=range(JOBS * number, JOBS * (number + 1))))
    for how, of in (("", "wall_s"), (" in CPU seconds", "cpu_s")):
        theirs = [getattr(cost, of) / CALLS for cost in bare]
        each = [getattr(cost, of) / images for cost, images in ours]
        yield Figure(
            name=f"throughput{how}: {JOBS} jobs on {PROCESSES} worker processes / bare client",
            value=median_ratio(theirs, each),
            unit="x",
            goal=0.95,
            goal_is="at least",
        )
        yield Figure(
            name=f"bare client{how}", value=1.0 / statistics.median(theirs), unit="images/s"
        )


def _queue(served: Rig, workers: Workers, *, seeds: range) -> tuple[Cost, int]:
    """Queue a job a seed at once and wait for all; what they cost, and the images scored."""
    before = so_far([served.server, *workers.processes])
    paths = [workers.submit(**FIXED, **{"options.seed": str(seed)}) for seed in seeds]
    jobs = [workers.ended(path, poll_s=_POLL_S) for path in paths]
    cost = so_far([served.server, *workers.processes]) - before
    return cost, sum(job["samples"]["images_scored"] for job in jobs)


def measure_memory() -> Iterator[Figure]:
    """Peak resident memory of a worker's process that explains with 1000 calls."""
    for what, base_path, goal in (
        ("224x224", efficientnet_lite0, 350),
        ("640x640", large_efficientnet, 600),
    ):
        yield Figure(
            name=f"peak_memory of a worker process, {CALLS} calls at {what}",
            value=_peak_mb(base_path()),
            unit="MB",
            goal=goal,
        )


def _peak_mb(base_path: Path) -> float:
    name = base_path.name
    options = ("--threads", str(os.cpu_count()))
    with running_model_server({name: base_path}, *options) as server:
        profile = ModelProfile(name=name, servable=name, address=f"dns:///{server.target}")
        with running_workers(profile, processes=1) as workers:
            workers.ended(workers.submit(**FIXED))
            return max(map(_high_water_mb, workers.processes))


def _high_water_mb(process: psutil.Process) -> float:
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    (high,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(high) * 1024 / 1e6
