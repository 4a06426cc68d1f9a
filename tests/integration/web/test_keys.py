"""Keys from the command line to the door of a running service, over a Redis of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import httpx
import pytest
import redis

from deploy.demo.redis_server import LOOPBACK, free_port
from tests.integration.web.conftest import publish
from tests.support import pictures
from tests.support.private_redis import private_redis
from tests.support.web_process import ROOT, running, start
from web.keys import KeyStore, UnknownKey
from web.principal import scopes_of

pytestmark = pytest.mark.integration

URL = "/v1/explanations"
PNG = pictures.png()
EVERYWHERE = "0.0.0.0"  # noqa: S104
BOTH = scopes_of(["submit", "read"])


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with private_redis(tmp_path_factory.mktemp("keys") / "redis") as server:
        yield server


@pytest.fixture
def client(server):
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def store(client):
    return KeyStore(client)


def command(redis_url, *arguments, check=True):
    inherited = {name: value for name, value in os.environ.items() if "LIMELIGHT" not in name}
    return subprocess.run(
        [sys.executable, "-m", "web.keys_command", *arguments],
        cwd=ROOT,
        env={**inherited, "LIMELIGHT_REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        check=check,
        timeout=30,
    )


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def test_a_key_is_verified_by_its_text_alone(store):
    text, info = store.create(tenant="acme", scopes=BOTH, expires_in_s=None, name="ci")
    assert text.startswith(f"ll_{info.id}_")
    assert len(text) == len("ll_") + 12 + 1 + 43
    assert store.verify(text) == info
    # Another key's secret under this one's id, a letter less, a letter more, another case.
    other, _ = store.create(tenant="acme", scopes=BOTH, expires_in_s=None)
    mixed = text[:16] + other[16:]
    for wrong in (mixed, text[:-1], text + "A", text.swapcase(), text + "\n", "", "ll_", "é\udcff"):
        assert store.verify(wrong) is None


def test_what_redis_holds_is_no_key(store, client):
    text, _ = store.create(tenant="acme", scopes=BOTH, expires_in_s=None)
    secret = text[16:].encode()
    for name in client.scan_iter():
        held = client.dump(name)
        assert secret not in held
        assert secret not in name


def test_a_key_ends_when_it_expires(client):
    now = 1_760_000_000.0
    store = KeyStore(client, clock=lambda: now)
    text, _ = store.create(tenant="acme", scopes=BOTH, expires_in_s=60)
    now += 59
    assert store.verify(text) is not None
    now += 1
    assert store.verify(text) is None


def test_a_revoked_key_stays_in_the_list_with_the_time_of_the_first_revocation(store):
    text, info = store.create(tenant="acme", scopes=BOTH, expires_in_s=None)
    revoked = store.revoke(info.id)
    assert store.verify(text) is None
    assert store.revoke(info.id) == revoked
    assert store.all() == [revoked]
    assert store.any()


def test_a_key_that_does_not_exist_cannot_be_revoked(store, client):
    with pytest.raises(UnknownKey):
        store.revoke("0" * 12)
    assert client.dbsize() == 0


@pytest.mark.parametrize(
    "wrong", [{"tenant": "Ac me"}, {"tenant": "a:b"}, {"scopes": frozenset()}, {"expires_in_s": 0}]
)
def test_a_key_that_would_make_no_sense_is_not_made(store, wrong):
    with pytest.raises(ValueError, match=r"tenant|scope|expired"):
        store.create(**{"tenant": "acme", "scopes": BOTH, "expires_in_s": None, **wrong})
    assert not store.any()


def test_an_ended_session_is_forgotten_when_it_would_have_ended_anyway(store, client):
    _, info = store.create(tenant="acme", scopes=BOTH, expires_in_s=None)
    assert store.in_session(info.id, session_id="s") == info
    store.end_session("s", lasts_s=0.2)
    assert store.in_session(info.id, session_id="s") is None
    (name,) = client.scan_iter("*ended-session*")
    assert 0 < client.pttl(name) <= 1000


def test_all_processes_sign_with_one_secret(server, store):
    with redis.Redis.from_url(server.url) as other:
        assert KeyStore(other).secret() == store.secret()
    assert len(store.secret()) >= 43


def test_the_command_tells_until_when_a_key_is_or_was_good(server, client):
    for seconds in (60, 0.001):
        KeyStore(client).create(
            tenant="acme", scopes=frozenset({"read"}), expires_in_s=seconds, name=str(seconds)
        )
    time.sleep(0.01)
    told = {
        line.split()[-1]: line.split()[3]
        for line in command(server.url, "list").stdout.splitlines()
    }
    assert told == {"60": "expires", "0.001": "expired"}


def test_the_command_makes_lists_and_revokes(server, client):
    made = command(server.url, "create", "--tenant", "acme", "--expires-in", "90d", "--name", "ci")
    text = made.stdout.strip()
    assert KeyStore(client).verify(text).scopes == BOTH
    assert text not in made.stderr
    (shown,) = json.loads(command(server.url, "list", "--json").stdout)["keys"]
    assert (shown["tenant"], shown["name"], shown["scopes"]) == ("acme", "ci", ["read", "submit"])
    assert command(server.url, "revoke", shown["id"]).returncode == 0
    assert KeyStore(client).verify(text) is None
    assert "revoked" in command(server.url, "list").stdout
    assert text[16:] not in command(server.url, "list").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "--tenant", "No Such"], "tenant"),
        (["create", "--scope", "root"], "root"),
        (["create", "--expires-in", "soon"], "90d"),
        (["revoke", "0" * 12], "no key"),
    ],
)
def test_the_command_says_in_words_what_is_wrong(server, client, arguments, said):
    done = command(server.url, *arguments, check=False)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_does_not_tell_the_password_of_a_redis_that_is_away():
    done = command(f"redis://:hunter2@{LOOPBACK}:{free_port()}/0", "list", check=False)
    assert done.returncode == 1
    assert "LIMELIGHT_REDIS_URL" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_the_first_key_closes_a_running_service_and_a_revoked_one_opens_nothing(
    server, client, store, tmp_path
):
    publish(server.url)
    with (
        running(server.url, tmp_path / "web.log", web_workers="2") as url,
        httpx.Client(base_url=url, trust_env=False, timeout=20) as web,
    ):
        assert web.post(URL, files={"image": PNG}).status_code == 202
        text, info = store.create(tenant="acme", scopes=BOTH, expires_in_s=None)
        time.sleep(1.2)
        assert web.post(URL, files={"image": PNG}).status_code == 401
        answer = web.post(URL, files={"image": PNG}, headers=bearer(text))
        assert answer.status_code == 202
        assert client.exists(f"limelight:acme:job:{answer.json()['id']}")
        store.revoke(info.id)
        until = time.monotonic() + 5
        while time.monotonic() < until and web.get("/v1/models", headers=bearer(text)).is_success:
            time.sleep(0.1)
        assert time.monotonic() < until
        # Every process, not just the one that answered.
        time.sleep(max(0.0, until - time.monotonic()))
        statuses = {web.get("/v1/models", headers=bearer(text)).status_code for _ in range(20)}
        assert statuses == {401}
    assert text[16:] not in (tmp_path / "web.log").read_text()


def test_beyond_loopback_it_starts_only_with_a_key(server, store, tmp_path):
    environment = {
        "LIMELIGHT_REDIS_URL": server.url,
        "LIMELIGHT_BIND": f"{EVERYWHERE}:{free_port()}",
        "LIMELIGHT_SECRET_KEY": "hunter2" * 8,
    }
    process = start(environment, output=subprocess.PIPE)
    told, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "no API keys" in told
    assert "hunter2" not in told
    store.create(tenant="acme", scopes=BOTH, expires_in_s=None)
    log = tmp_path / "web.log"
    with running(server.url, log, host=EVERYWHERE, secret_key="hunter2" * 8) as url:
        assert httpx.get(f"{url}/v1/models", trust_env=False).status_code == 401
    assert "hunter2" not in log.read_text()


def test_a_session_is_good_in_every_process_and_ends_in_every_process(server, store, tmp_path):
    publish(server.url)
    text, _ = store.create(tenant="acme", scopes=BOTH, expires_in_s=None)
    with (
        running(server.url, tmp_path / "web.log", web_workers="2") as url,
        httpx.Client(base_url=url, trust_env=False, timeout=20) as web,
    ):
        shown = web.post("/session", json={"key": text}).json()
        assert {web.get("/v1/models").status_code for _ in range(20)} == {200}
        job = web.post(URL, files={"image": PNG}, headers={"X-CSRF-Token": shown["csrf_token"]})
        assert job.status_code == 202
        cookie = dict(web.cookies)
        web.delete("/session", headers={"X-CSRF-Token": shown["csrf_token"]})
        assert not web.cookies
        time.sleep(3.2)
        web.cookies.update(cookie)
        assert {web.get("/v1/models").status_code for _ in range(20)} == {401}


def test_requests_are_counted_over_all_processes(server, store, tmp_path):
    publish(server.url)
    file = tmp_path / "tenants.toml"
    file.write_text('[tenants.default]\nrate_limit = "6/hour"\nqueue_limit = 4\n')
    with (
        running(server.url, tmp_path / "web.log", web_workers="2", tenants_file=str(file)) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=20) as web,
    ):
        answers = [web.post(URL, files={"image": PNG}) for _ in range(9)]
    assert [answer.status_code for answer in answers] == [202] * 4 + [503] * 2 + [429] * 3
    for answer in answers[4:]:
        assert int(answer.headers["Retry-After"]) > 0
    assert [answer.headers["RateLimit-Remaining"] for answer in answers[:6]] == list("543210")


def test_a_refused_job_leaves_nothing_in_redis(server, client, tmp_path):
    publish(server.url)
    file = tmp_path / "tenants.toml"
    file.write_text("[defaults]\nqueue_limit = 1\n")
    with running(server.url, tmp_path / "web.log", tenants_file=str(file)) as url:
        httpx.post(f"{url}{URL}", files={"image": PNG}, trust_env=False)
        before = set(client.scan_iter("limelight:default:*"))
        answer = httpx.post(f"{url}{URL}", files={"image": PNG}, trust_env=False)
        assert answer.json()["type"] == "/problems/queue-full"
    assert set(client.scan_iter("limelight:default:*")) == before
    assert client.zcard("limelight::unowned") == 0


def test_over_http_another_tenants_job_is_byte_for_byte_one_that_never_was(
    server, client, store, tmp_path
):
    publish(server.url)
    unknown = "exp_" + "0" * 32
    owner, _ = store.create(tenant="acme", scopes=BOTH, expires_in_s=None)
    stranger, _ = store.create(tenant="stranger", scopes=BOTH, expires_in_s=None)
    asked = [
        ("GET", ""),
        ("GET", "/image"),
        ("GET", "/overlays/1/signed.png"),
        ("GET", "/attributions.json"),
        ("GET", "/segments.png"),
        ("GET", "/events"),
        ("POST", "/cancel"),
        ("POST", "/share"),
        ("DELETE", ""),
    ]
    with (
        running(server.url, tmp_path / "web.log") as url,
        httpx.Client(base_url=url, trust_env=False, timeout=20) as web,
    ):
        made = web.post(URL, files={"image": PNG}, headers=bearer(owner)).json()["id"]
        for method, rest in asked:
            hidden, missing = (
                web.request(method, f"{URL}/{job_id}{rest}", headers=bearer(stranger))
                for job_id in (made, unknown)
            )
            assert hidden.status_code == missing.status_code == 404, (method, rest)
            assert hidden.content.replace(made.encode(), unknown.encode()) == missing.content
        assert web.get(URL, headers=bearer(stranger)).text.count("exp_") == 0
        shown = web.get(f"{URL}/{made}", headers=bearer(owner))
        assert shown.json()["status"] == "queued"
        link = web.post(f"{URL}/{made}/share", headers=bearer(owner)).json()["url"]
        assert web.get(link).json()["id"] == made
