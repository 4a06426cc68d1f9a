"""schemathesis on the served document: no fault of ours, no answer that the document lacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.integration.web.conftest import publish
from tests.support import documented
from tests.support.private_redis import private_redis
from tests.support.web_process import running
from web.keys import KeyStore
from worker.jobs.blobs import open_blobs
from worker.jobs.store import Store

pytestmark = pytest.mark.integration

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# For one run; its own limit, so that a slow machine tries less rather than failing.
BUDGET_S = 25
STREAM = "streamExplanation"
# No schema can say that bytes are an image, or which options fit together.
NOT_CHECKED = {"positive_data_acceptance"}
# Beside a ``not`` the tool would fail on the values that it makes of this format.
HOOKS = """
import schemathesis
from hypothesis import strategies
schemathesis.openapi.format("binary", strategies.text())
"""
# A job may have no webhook, so that there is nothing at its path.
_MAY_BE_MISSING = "ensure_resource_availability"


@pytest.fixture
def store(tmp_path):
    with private_redis(tmp_path / "redis") as server:
        publish(server.url)
        yield server.url


@pytest.fixture
def finished(store):
    """The job of the document's examples, so that there is something at its path."""
    with redis.Redis.from_url(store) as client:
        jobs = Store(client)
        blobs = open_blobs("redis:", client)
        jobs.create(
            ref=documented.REF,
            queue="interactive",
            request=documented.REQUEST,
            image=documented.IMAGE,
            deadline_s=600,
            retention_s=600,
        )
        claim = jobs.claim(documented.REF, worker="test", lease_s=60)
        for key, data in documented.blobs(claim.fence).items():
            blobs.put(key, data)
        jobs.succeed(claim, documented.result(claim.fence))


def run(url, directory, *options, not_checked=frozenset(), config=""):
    """Run it; what it did to each operation, by operation and status."""
    (directory / "hooks.py").write_text(HOOKS)
    (directory / "schemathesis.toml").write_text('hooks = "hooks"\n' + config)
    command = [
        SCHEMATHESIS, "--config-file", "schemathesis.toml", "run", f"{url}/openapi.json",
        "--seed", "1", "--max-examples", "8", "--max-time", str(BUDGET_S),
        "--checks", "all", "--exclude-checks", ",".join(NOT_CHECKED | not_checked),
        "--request-timeout", "10", "--no-shrink", "--continue-on-failure",
        "--report", "har", "--report-har-path", "run.har", "--no-color", *options,
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=4 * BUDGET_S, check=False
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    entries = json.loads((directory / "run.har").read_text())["log"]["entries"]
    return [(one["request"]["method"], one["request"]["url"], one["response"]) for one in entries]


def statuses(entries, method, path):
    return {
        answer["status"]
        for used, url, answer in entries
        if used == method and url.partition("?")[0].endswith(path)
    }


def test_without_a_key_every_answer_is_one_of_the_document(store, tmp_path):
    # Without keys they are not needed, and a bad one is refused all the same.
    config = "[generation]\nwith-security-parameters = false\n"
    with running(store, tmp_path / "web.log") as url:
        # The stream of a job that nobody works at has no end.
        entries = run(
            url,
            tmp_path,
            "--exclude-operation-id",
            STREAM,
            not_checked={"ignored_auth", _MAY_BE_MISSING},
            config=config,
        )
    assert 202 in statuses(entries, "POST", "/v1/explanations")
    assert 200 in statuses(entries, "GET", "/v1/explanations")
    assert {answer["status"] for _, _, answer in entries if answer["status"] >= 500} == set()


@pytest.mark.usefixtures("finished")
def test_with_a_key_every_answer_is_one_of_the_document(store, tmp_path):
    with redis.Redis.from_url(store) as client:
        scopes = frozenset({"submit", "read"})
        key, _ = KeyStore(client).create(tenant="default", scopes=scopes, expires_in_s=None)
    with running(store, tmp_path / "web.log") as url:
        entries = run(
            url,
            tmp_path,
            "--header",
            f"Authorization: Bearer {key}",
            # What else it finds is no longer there once it has erased it.
            "--exclude-operation-id",
            "deleteExplanation",
            "--phases",
            "examples,coverage,fuzzing",
        )
    path = f"/v1/explanations/{documented.REF.id}"
    overlay = "/overlays/285/signed.png"
    for name in ("", "/events", "/image", "/attributions.json", overlay, "/webhook"):
        assert 200 in statuses(entries, "GET", path + name), name
    assert 201 in statuses(entries, "POST", f"{path}/share")
    assert 409 in statuses(entries, "POST", f"{path}/cancel")
    assert 202 in statuses(entries, "POST", f"{path}/webhook/redeliver")
    assert 401 in {answer["status"] for _, _, answer in entries}
    assert {answer["status"] for _, _, answer in entries if answer["status"] >= 500} == set()
