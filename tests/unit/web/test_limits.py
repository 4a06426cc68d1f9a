"""What each tenant may do: how often, how much at once, for how long."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis

from tests.support import pictures
from tests.support.requests import MULTIPART, form
from worker.jobs.tenants import Tenants, TenantSettings

URL = "/v1/explanations"


@pytest.fixture
def make_limited(make_service):
    def make(**acme):
        tenants = Tenants(named={"acme": TenantSettings(**acme)})
        service = make_service(tenants=tenants)
        service.keys.add("ll_acme", tenant="acme")
        service.keys.add("ll_other", tenant="other")
        return service

    return make


def submit(service, key="ll_acme", **fields):
    return service.client.post(
        URL,
        data=form(pictures.png(), **fields),
        content_type=MULTIPART,
        headers={"Authorization": f"Bearer {key}"},
    )


def test_over_its_rate_a_tenant_is_told_when_to_come_back(make_limited):
    service = make_limited(rate_limit="2/minute")
    served = [submit(service) for _ in range(2)]
    assert [answer.status_code for answer in served] == [202, 202]
    assert [answer.headers["RateLimit-Remaining"] for answer in served] == ["1", "0"]
    answer = submit(service)
    assert answer.status_code == 429
    assert answer.get_json()["type"] == "/problems/rate-limited"
    assert answer.headers["RateLimit-Limit"] == "2"
    assert 0 < int(answer.headers["Retry-After"]) <= 61
    assert answer.headers["RateLimit-Reset"] == answer.headers["Retry-After"]
    assert len(service.store.jobs) == 2


def test_the_retry_after_of_a_job_that_was_accepted_is_the_jobs(make_limited):
    answer = submit(make_limited(rate_limit="2/minute"))
    assert answer.headers["Retry-After"] == "1"


def test_one_tenant_does_not_use_up_anothers_rate(make_limited):
    service = make_limited(rate_limit="1/minute")
    assert [submit(service).status_code for _ in range(2)] == [202, 429]
    assert submit(service, "ll_other").status_code == 202


def test_all_that_changes_something_counts_together_and_reading_does_not(make_limited):
    service = make_limited(rate_limit="2/minute")
    path = submit(service).headers["Location"]
    headers = {"Authorization": "Bearer ll_acme"}
    for _ in range(5):
        answer = service.client.get(path, headers=headers)
        assert answer.status_code == 200
        assert "RateLimit-Limit" not in answer.headers
    assert service.client.post(f"{path}/share", headers=headers).status_code == 201
    assert submit(service).status_code == 429


def test_refused_keys_do_not_count(make_limited):
    service = make_limited(rate_limit="1/minute")
    for _ in range(3):
        assert submit(service, "ll_wrong").status_code == 401
    assert submit(service).status_code == 202


def test_while_redis_is_away_the_same_limits_hold_in_memory(make_service, unreachable_redis):
    tenants = Tenants(defaults=TenantSettings(rate_limit="2/minute"))
    service = make_service(tenants=tenants, limiter_redis=unreachable_redis)
    service.keys.add("ll_acme")
    answers = [submit(service) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].headers["RateLimit-Remaining"] == "0"


@pytest.fixture
def unreachable_redis():
    class Away(redis.Connection):
        def connect(self):
            raise redis.ConnectionError("away")

        connect_check_health = connect

    return redis.Redis(connection_pool=redis.ConnectionPool(connection_class=Away))


@pytest.mark.parametrize(
    "error",
    [
        redis.ConnectionError("away"),
        redis.ReadOnlyError("You can't write against a read only replica."),
        redis.ResponseError("NOREPLICAS Not enough good replicas to write."),
    ],
)
def test_requests_that_find_redis_gone_at_the_same_moment_are_refused_at_worst(make_service, error):
    both = threading.Barrier(2)

    class Vanishes(redis.Connection):
        def connect(self):
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(timeout=5)
            both.abort()
            raise error

        connect_check_health = connect

    away = redis.Redis(connection_pool=redis.ConnectionPool(connection_class=Vanishes))
    service = make_service(limiter_redis=away)
    service.keys.add("ll_acme")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: _submit_by_another_client(service), range(2)))
    assert sorted(answer.status_code for answer in answers) in ([202, 202], [202, 503])


def _submit_by_another_client(service):
    # A client of the test is not for two threads.
    return submit(replace(service, client=service.client.application.test_client()))


def test_a_full_queue_is_the_tenants_own_and_leaves_nothing_behind(make_limited):
    service = make_limited(queue_limit=1)
    assert submit(service).status_code == 202
    kept = dict(service.blobs.kept)
    answer = submit(service)
    assert answer.status_code == 503
    assert answer.get_json()["type"] == "/problems/queue-full"
    assert int(answer.headers["Retry-After"]) > 0
    assert service.blobs.kept == kept
    assert submit(service, "ll_other").status_code == 202


def test_there_is_room_again_when_a_job_has_ended(make_limited):
    service = make_limited(queue_limit=1)
    submit(service)
    (ref,) = service.store.jobs
    service.store.change(ref, status="canceled")
    assert submit(service).status_code == 202


def test_a_tenants_own_retention_counts(make_limited):
    service = make_limited(retention_s=120, max_retention_s=600)
    for key, fields in (("ll_acme", {}), ("ll_other", {}), ("ll_acme", {"retention_s": "600"})):
        assert submit(service, key, **fields).status_code == 202
    assert [job.retention_s for job in service.store.jobs.values()] == [120, 3600, 600]
    answer = submit(service, retention_s="601")
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == "/retention_s"
    assert submit(service, "ll_other", retention_s="601").status_code == 202


def test_the_services_default_retention_does_not_exceed_a_tenants_longest(make_limited):
    service = make_limited(max_retention_s=600)
    submit(service)
    (job,) = service.store.jobs.values()
    assert job.retention_s == 600
