"""What a job costs beside segmentation, model calls, fitting and drawing, on an idle system."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator

import httpx

from deploy.demo.client import photographs
from deploy.demo.signals import StopSignals
from deploy.demo.stack import running_stack
from tests.bench.figure import Figure

JOBS = 15
SAMPLES = 64
POLL_S = 0.005
WORK = ("segment_s", "predict_s", "fit_s", "draw_s")


def measure() -> Iterator[Figure]:
    """Explain one photograph again and again, each time with another seed, one after another."""
    overheads, totals = [], []
    with (
        StopSignals() as signals,
        running_stack(port=None, signals=signals, say=_say) as stack,
        httpx.Client(base_url=stack.address, trust_env=False, timeout=30) as client,
    ):
        picture = photographs()[0].file.read_bytes()
        for seed in range(JOBS + 1):
            stack.check()
            total, work = _explain(client, picture, seed)
            # The first job of a worker process opens its channel and imports what is lazy.
            if seed > 0:
                totals.append(total)
                overheads.append(total - work)
    yield Figure(
        name="job overhead outside segmentation, model calls, fitting and drawing, median",
        value=statistics.median(overheads) * 1e3,
        unit="ms",
        goal=150,
    )
    yield Figure(
        name=f"job from POST to terminal with {SAMPLES} samples, median",
        value=statistics.median(totals) * 1e3,
        unit="ms",
    )


def _explain(client: httpx.Client, picture: bytes, seed: int) -> tuple[float, float]:
    """Seconds from POST to the terminal job as a client sees it, and of the work named above."""
    started = time.perf_counter()
    answer = client.post(
        "/v1/explanations",
        files={"image": picture},
        data={"options.samples": str(SAMPLES), "options.seed": str(seed)},
    )
    answer.raise_for_status()
    path = f"/v1/explanations/{answer.json()['id']}"
    while (job := client.get(path).raise_for_status().json())["finished_at"] is None:
        time.sleep(POLL_S)
    total = time.perf_counter() - started
    if job["status"] != "succeeded":
        raise RuntimeError(f"the job {job['status']}: {job['error']}")
    return total, sum(job["timings"][name] for name in WORK)


def _say(line: str) -> None:
    print(f"# {line}", file=sys.stderr)
