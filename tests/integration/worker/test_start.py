"""What web, worker and webhooks say of Redis when they start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.demo.redis_server import LOOPBACK, free_port
from tests.integration.worker.conftest import ROOT, wait_until, worker_environment
from tests.support.private_redis import private_redis

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("module", ["web.main", "worker.app", "worker.webhooks.main"])
def test_a_redis_that_may_lose_jobs_is_reported_and_used(module: str, tmp_path: Path) -> None:
    config = {"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}
    (tmp_path / "models.toml").write_text('[models.m]\naddress = "127.0.0.1:9"\n')
    log = tmp_path / "log"
    with private_redis(tmp_path / "redis", config=config) as server, log.open("wb") as output:
        settings = {
            "LIMELIGHT_REDIS_URL": server.url,
            "LIMELIGHT_MODELS_FILE": str(tmp_path / "models.toml"),
            "LIMELIGHT_BIND": f"{LOOPBACK}:{free_port()}",
            "LIMELIGHT_CONCURRENCY": "1",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=worker_environment(settings),
            stderr=output,
            start_new_session=True,
        )
        try:
            wait_until(lambda: len(problems(log)) == 2, timeout_s=60)
            assert process.poll() is None
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)
    assert set(problems(log)) == {
        "Redis may evict accepted jobs (maxmemory-policy allkeys-lru): set it to noeviction",
        "Redis loses accepted jobs when it restarts: set appendonly to yes",
    }


def problems(log: Path) -> list[str]:
    # The last line may not be complete yet.
    lines = log.read_text().splitlines(keepends=True)
    said = [json.loads(line) for line in lines if line.endswith("\n")]
    return [one["problem"] for one in said if one["event"] == "redis"]
