"""What a worker process weighs before it does anything: resident memory and seconds to import."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure

ROUNDS = 5
ROOT = Path(__file__).resolve().parents[2]

REPORT = """
import json, os, resource, sys
pages = int(open("/proc/self/statm").read().split()[1]) if sys.platform == "linux" else None
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
resident = pages * os.sysconf("SC_PAGE_SIZE") if pages else peak
print(json.dumps([seconds, resident / 1e6]))
"""

WORKER = f"""
import time
started = time.perf_counter()
import importlib, pkgutil, worker
for module in pkgutil.walk_packages(worker.__path__, "worker."):
    importlib.import_module(module.name)
seconds = time.perf_counter() - started
{REPORT}
"""

TENSORFLOW_SERVING_API = f"""
import time
started = time.perf_counter()
from tensorflow_serving.apis import prediction_service_pb2_grpc
seconds = time.perf_counter() - started
{REPORT}
"""


def measure() -> Iterator[Figure]:
    """Import every module of the worker in a fresh interpreter, five times."""
    runs = [_run(WORKER) for _ in range(ROUNDS)]
    seconds, resident = (statistics.median(values) for values in zip(*runs, strict=True))
    yield Figure(name="worker import, resident", value=resident, unit="MB", goal=200)
    yield Figure(name="worker import, time", value=seconds, unit="s", goal=1.5)
    seconds, resident = _run(TENSORFLOW_SERVING_API)
    yield Figure(name="tensorflow-serving-api import, resident", value=resident, unit="MB")
    yield Figure(name="tensorflow-serving-api import, time", value=seconds, unit="s")


def _run(program: str) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the import failed:\n{done.stderr}")
    seconds, resident = json.loads(done.stdout.splitlines()[-1])
    return seconds, resident
