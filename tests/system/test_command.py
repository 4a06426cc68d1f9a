"""The ``limelight`` command as a process of its own, against services over real HTTP."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import skimage
from standardwebhooks import Webhook

from limelight.cli.state import FILE_NAME
from tests.support import scripted_service
from tests.support.scripted_service import FAILS, REFUSED, ScriptedService

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with scripted_service.running() as service:
        yield service


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(6):
        (folder / f"photo{number}.jpg").write_bytes(b"image %d" % number)
    return [str(path) for path in sorted(folder.iterdir())]


@contextmanager
def started(
    *arguments: str, stdout: int = subprocess.PIPE, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    inherited = {name: value for name, value in os.environ.items() if "LIMELIGHT" not in name}
    process = subprocess.Popen(
        [sys.executable, "-m", "limelight.cli", *arguments],
        cwd=ROOT,
        env={**inherited, "no_proxy": "127.0.0.1", "COLUMNS": "200", **environment},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def limelight(*arguments: str, **environment: str) -> tuple[int, str, str]:
    with started(*arguments, **environment) as process:
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err
        return process.returncode, out, err


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def by_image(out: str) -> Mapping[str, dict[str, Any]]:
    return {Path(line["image"]).stem: line for line in lines(out)}


def test_many_images_are_explained_a_few_at_a_time(service, photos, tmp_path):
    out = tmp_path / "out"
    question = ["-o", "samples=500", "--classes", "3", "--overlays", "signed", "--model", "lite0"]
    code, told, err = limelight(
        "explain",
        *photos,
        *question,
        "--parallel",
        "2",
        "--out",
        str(out),
        LIMELIGHT_URL=service.url,
    )

    assert (code, err) == (0, "")
    assert told.count("Egyptian cat (285)") == len(photos)
    assert service.most_open <= 2
    assert service.forms[0] == {
        "options.samples": "500",
        "classes": "3",
        "overlays": "signed",
        "model": "lite0",
    }
    for photo in photos:
        names = {path.name for path in (out / Path(photo).stem).iterdir()}
        assert names == {"285-signed.png", "attributions.json", "segments.png", "job.json"}


def test_what_is_done_is_not_done_again_unless_told(service, photos, tmp_path):
    command = ["explain", *photos, "--out", str(tmp_path / "out"), "--url", service.url, "--json"]
    assert limelight(*command)[0] == 0
    assert len(service.posts) == len(photos)

    code, again, _ = limelight(*command)
    assert code == 0
    assert all(line["was_done"] for line in lines(again))
    assert len(service.posts) == len(photos)

    Path(photos[0]).write_bytes(b"another image")
    code, changed, _ = limelight(*command)
    assert [line["was_done"] for line in by_image(changed).values()].count(False) == 1

    assert limelight(*command, "--again")[0] == 0
    assert len(service.posts) == 2 * len(photos) + 1


def test_after_ctrl_c_the_same_command_goes_on_with_the_same_jobs(service, photos, tmp_path):
    out = tmp_path / "out"
    command = ["explain", *photos, "--out", str(out), "--parallel", "3", "--url", service.url]
    service.go_on.clear()
    with started(*command) as process:
        until(lambda: len(service.posts) == 3 and '"exp_' in (out / FILE_NAME).read_text())
        until(lambda: all(job["polls"] for job in service.jobs.values()))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "0 of 6 images are done with; the service goes on with 3" in err
    assert "Traceback" not in err

    service.go_on.set()
    code, _, _ = limelight(*command)

    assert code == 0
    assert len(service.jobs) == len(photos)
    assert len(service.posts) == len(photos)
    assert len(list(out.glob("*/job.json"))) == len(photos)


def test_killed_before_the_answer_came_it_submits_under_the_same_key(service, photos, tmp_path):
    command = ["explain", *photos, "--out", str(tmp_path / "out"), "--url", service.url]
    service.answers.clear()
    with started(*command) as process:
        until(lambda: len(service.posts) == len(photos))
        process.kill()
        process.wait()
    service.answers.set()

    code, _, _ = limelight(*command)

    assert code == 0
    assert len(service.posts) == 2 * len(photos)
    assert len(set(service.posts)) == len(service.jobs) == len(photos)


def test_a_job_that_the_service_no_longer_has_is_submitted_anew(service, photos, tmp_path):
    command = ["explain", photos[0], "--out", str(tmp_path / "out"), "--url", service.url]
    service.go_on.clear()
    assert limelight(*command, "--timeout", "0.3")[0] == 5
    service.forget()
    service.go_on.set()

    assert limelight(*command)[0] == 0
    assert len(set(service.posts)) == 2


def test_images_that_fail_or_are_refused_do_not_stop_the_others(service, photos, tmp_path):
    Path(photos[1]).write_bytes(FAILS)
    Path(photos[2]).write_bytes(REFUSED)
    command = ["explain", *photos, "--out", str(tmp_path / "out"), "--url", service.url, "--json"]

    code, told, err = limelight(*command)

    assert (code, err) == (1, "")
    outcomes = by_image(told)
    assert outcomes["photo1"]["error"]["problem"]["type"] == "/problems/image-too-uniform"
    assert outcomes["photo2"]["status"] == "refused"
    assert sum(line["status"] == "succeeded" for line in outcomes.values()) == 4

    Path(photos[1]).write_bytes(b"repaired")
    assert limelight(*command)[0] == 4


def test_a_wrong_key_ends_the_run(service, photos, tmp_path):
    service.key = "ll_right"
    command = ["explain", *photos, "--out", str(tmp_path / "out"), "--url", service.url]
    code, _, err = limelight(*command, LIMELIGHT_API_KEY="ll_wrong")
    assert code == 4
    assert "unauthorized" in err
    assert limelight(*command, LIMELIGHT_API_KEY="ll_right")[0] == 0


def test_credentials_and_headers_of_a_proxy_are_not_kept_in_the_folder(service, photos, tmp_path):
    out = tmp_path / "out"
    url = service.url.replace("http://", "http://user:hidden@")
    arguments = ["explain", photos[0], "--out", str(out)]
    code, said, err = limelight(*arguments, LIMELIGHT_URL=url, LIMELIGHT_HEADERS="X-Token: hidden")
    assert code == 0, err
    kept = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    assert b"photo0.jpg" in b"".join(kept)
    assert b"hidden" not in b"".join(kept)
    assert "hidden" not in said + err
    # Without them it is the same service, whose job is done.
    assert limelight(*arguments, LIMELIGHT_URL=service.url)[0] == 0
    assert len(service.jobs) == 1


def test_two_runs_do_not_write_to_one_folder(service, photos, tmp_path):
    command = ["explain", *photos, "--out", str(tmp_path / "out"), "--url", service.url]
    service.go_on.clear()
    with started(*command):
        until(lambda: len(service.posts) > 0)
        code, _, err = limelight(*command)
    assert code == 2
    assert "Another run" in err


def test_nobody_there_is_code_3(photos, tmp_path):
    command = ["explain", *photos, "--out", str(tmp_path / "out"), "--retry-for", "0"]
    code, _, err = limelight(*command, "--url", "http://127.0.0.1:1")
    assert code == 3
    assert "No answer to POST /v1/explanations" in err
    assert "takes up what is left" not in err


def test_a_reader_that_has_read_enough_is_no_error(service, photos, tmp_path):
    limelight("explain", *photos, "--out", str(tmp_path / "out"), "--url", service.url)
    reader, writer = os.pipe()
    os.close(reader)
    with started("list", "--json", "--url", service.url, stdout=writer) as process:
        _, err = process.communicate(timeout=30)
    os.close(writer)
    assert (process.returncode, err) == (141, "")


def test_callbacks_are_printed_and_their_signatures_checked():
    body = '{"type": "explanation.succeeded", "data": {"id": "exp_1", "status": "succeeded"}}'
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", now, body),
    }
    command = ["webhooks", "listen", "--port", "0", "--count", "3", "--json"]
    with started(*command, LIMELIGHT_WEBHOOK_SECRET=SECRET, PYTHONUNBUFFERED="1") as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["listening"]
        bodies = ((body, headers), (body + " ", headers), ("a" * 70_000, {}), (b"\xff", {}))
        statuses = [
            httpx.post(url, content=content, headers=named, trust_env=False).status_code
            for content, named in bodies
        ]
        out, err = process.communicate(timeout=30)

    assert statuses == [204, 400, 413, 400]
    assert [line["verified"] for line in lines(out)] == [True, False, False]
    assert lines(out)[0]["event"]["data"]["id"] == "exp_1"
    assert (process.returncode, err) == (0, "")


def test_a_port_in_use_is_said_in_a_sentence():
    with started("webhooks", "listen", "--port", "0", "--json") as first:
        assert first.stdout is not None
        url = json.loads(first.stdout.readline())["listening"]
        code, _, err = limelight("webhooks", "listen", "--port", str(httpx.URL(url).port))
    assert code == 2
    assert "--port" in err


def test_bash_completes_commands():
    code, out, _ = limelight(
        _LIMELIGHT_COMPLETE="bash_complete", COMP_WORDS="limelight st", COMP_CWORD="1"
    )
    assert code == 0
    assert "status" in out


def test_the_real_service_explains_and_the_command_asks_it_everything(service_url, tmp_path):
    cat = Path(skimage.__file__).parent / "data" / "chelsea.png"
    asked = ["-o", "samples=128", "--overlays", "signed", "--metadata", "ticket=4711"]
    out = tmp_path / "out"

    code, told, err = limelight(
        "explain", str(cat), *asked, "--out", str(out), "--json", LIMELIGHT_URL=service_url
    )
    assert (code, err) == (0, "")
    (line,) = lines(told)
    assert line["classes"][0]["class_name"] == "Egyptian cat"
    assert (out / "chelsea" / "285-signed.png").read_bytes().startswith(b"\x89PNG")

    code, table, _ = limelight("status", line["job"], "--url", service_url)
    assert code == 0
    assert "Egyptian cat (285)" in table
    code, models, _ = limelight("models", "check", "--json", "--url", service_url)
    assert code == 0
    assert lines(models)[0]["state"] == "available"
    code, listed, _ = limelight("list", "--json", "--url", service_url)
    assert line["job"] in {item["id"] for item in lines(listed)}
    assert limelight("cancel", line["job"], "--url", service_url)[0] == 4
    assert limelight("delete", "--yes", line["job"], "--url", service_url)[0] == 0
    assert limelight("status", line["job"], "--url", service_url)[0] == 4
