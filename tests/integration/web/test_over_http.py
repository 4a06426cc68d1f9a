"""What only a real server shows: raw bodies, chunks, half-sent requests, and Redis itself."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time

import httpx
import pytest
import redis

from deploy.demo.redis_server import LOOPBACK
from tests.integration.web.conftest import LIMIT, publish
from tests.support import pictures
from tests.support.bad_input import ALL, ODD_IMAGES
from tests.support.private_redis import messages, private_redis
from tests.support.requests import MULTIPART, form, image_part, multipart
from tests.support.web_process import running, start

pytestmark = pytest.mark.integration

URL = "/v1/explanations"
PNG = pictures.png()


def address(client):
    return client.base_url.host, client.base_url.port


def read_all(connection):
    answer = b""
    while data := connection.recv(65_536):
        answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode().lower(), body


def jobs_and_blobs(kept):
    """What requests leave behind: records, bytes and messages. Their count is no part of it."""
    names = {name for name in kept.scan_iter("limelight:*") if b":limits:" not in name}
    return {*names, *kept.lrange(messages("interactive"), 0, -1)}


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_bad_input_gets_its_problem_and_leaves_nothing_behind(web, kept, case):
    before = jobs_and_blobs(kept)
    headers = dict(case.headers)
    if case.content_type is not None:
        headers["Content-Type"] = case.content_type
    request = web.build_request(case.method, "/", content=case.body, headers=headers)
    # As it is written: httpx would resolve the dots.
    request.url = request.url.copy_with(raw_path=case.path.encode())
    answer = web.send(request)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (case.status, f"/problems/{case.slug}"), problem
    assert problem["status"] == case.status
    assert case.says in json.dumps(problem, ensure_ascii=False)
    if case.pointer is not None:
        assert case.pointer in [item["pointer"] for item in problem["errors"]]
    assert jobs_and_blobs(kept) == before


@pytest.mark.parametrize("image", ODD_IMAGES, ids=lambda image: image.name)
def test_an_odd_image_is_accepted_in_its_own_size(web, image):
    body = multipart(image_part(image.data, image.filename))
    answer = web.post(URL, content=body, headers={"Content-Type": MULTIPART})
    assert answer.status_code == 202, answer.json()
    shown = answer.json()["image"]
    assert (shown["width"], shown["height"]) == image.size


def test_a_job_is_accepted_recorded_and_shown(web):
    accepted = web.post(URL, files={"image": PNG})
    assert accepted.status_code == 202
    shown = web.get(accepted.headers["Location"])
    assert shown.json() == accepted.json()
    assert web.get(shown.json()["links"]["image"]).content == PNG
    tag = shown.headers["ETag"]
    assert web.get(shown.json()["links"]["self"], headers={"If-None-Match": tag}).status_code == 304


def test_a_body_in_chunks_is_read(web):
    body = form(PNG)
    chunks = (body[at : at + 100] for at in range(0, len(body), 100))
    answer = web.post(URL, content=chunks, headers={"Content-Type": MULTIPART})
    assert answer.status_code == 202


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_and_the_answer_arrives(web, chunked):
    body = form(b"x" * (LIMIT + 1_000_000))
    content = iter([body]) if chunked else body
    answer = web.post(URL, content=content, headers={"Content-Type": MULTIPART})
    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/payload-too-large"


@pytest.mark.parametrize("content_type", [MULTIPART, "application/json"])
def test_a_body_that_is_cut_short_makes_no_job(web, kept, content_type):
    before = jobs_and_blobs(kept)
    body = form(PNG)
    head = (
        f"POST {URL} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(address(web), timeout=10) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])
        connection.shutdown(socket.SHUT_WR)
        status, head, _ = read_all(connection)
    assert status == 400
    assert "application/problem+json" in head
    assert jobs_and_blobs(kept) == before


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nBad Header: x\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 400),
        (b"POST /v1/explanations HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (
            (
                b"POST /v1/explanations HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
            ),
            400,
        ),
    ],
    ids=["request line", "header name", "long header", "length", "chunk"],
)
def test_what_is_not_http_gets_problem_details_too(web, sent, status):
    with socket.create_connection(address(web), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answered, head, body = read_all(connection)
    assert answered == status
    assert "application/problem+json" in head
    assert json.loads(body)["type"] == "/problems/invalid-request"


def test_while_redis_is_away_requests_get_503_and_afterwards_they_are_served(tmp_path):
    with private_redis(tmp_path / "redis", appendonly=True) as server:
        publish(server.url)
        with (
            running(server.url, tmp_path / "web.log", catalogue_ttl_s="0") as url,
            httpx.Client(base_url=url, trust_env=False, timeout=20) as client,
        ):
            path = client.post(URL, files={"image": PNG}).headers["Location"]
            server.kill()
            for answer in (
                client.get(path),
                client.post(URL, files={"image": PNG}),
                client.get("/v2/health/ready"),
            ):
                assert answer.status_code == 503
                assert answer.json()["type"] == "/problems/unavailable"
                assert "Retry-After" in answer.headers
            assert client.get("/v2/health/live").status_code == 200
            server.start()
            until = time.monotonic() + 10
            while client.get("/v2/health/ready").status_code != 200 and time.monotonic() < until:
                time.sleep(0.1)
            assert client.get(path).status_code == 200
            assert client.post(URL, files={"image": PNG}).status_code == 202


def test_a_port_in_use_is_told_in_one_sentence():
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        process = start({"LIMELIGHT_BIND": f"{LOOPBACK}:{port}"}, output=subprocess.PIPE)
        told, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert told.count("\n") == 1
    assert f"{port}: another program is listening there" in told


def test_a_job_that_is_accepted_is_in_the_queue(tmp_path):
    with private_redis(tmp_path / "redis") as server:
        publish(server.url)
        with running(server.url, tmp_path / "web.log") as url:
            answer = httpx.post(f"{url}{URL}", files={"image": PNG}, trust_env=False)
        with redis.Redis.from_url(server.url) as client:
            (message,) = client.lrange(messages("interactive"), 0, -1)
    assert answer.json()["id"].encode() in base64.b64decode(json.loads(message)["body"])
