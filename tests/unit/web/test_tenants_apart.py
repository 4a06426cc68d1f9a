"""To one tenant, another's job does not exist: every route, every kind of job, every method."""

from __future__ import annotations

import pytest

from tests.support import pictures
from tests.support.requests import MULTIPART, form
from tests.unit.web.fakes import NOW
from tests.unit.web.results import ARTIFACTS, RESULT
from worker.jobs.job import Failure, JobRef, artifact_key

URL = "/v1/explanations"
UNKNOWN = "exp_" + "0" * 32
OWNER = {"Authorization": "Bearer ll_owner"}
STRANGER = {"Authorization": "Bearer ll_stranger"}
# For what stands in a path beside the id: of the finished job, something that exists.
PATH = {"class_index": "1", "filename": "signed.png"}
# What a request needs beyond its path to be served.
BODIES = {"share": {"json": {"expires_in_s": 60}}}


def succeeded(service, ref):
    for name, data in ARTIFACTS.items():
        service.blobs.put(artifact_key(ref, RESULT["fence"], name), data)
    service.store.change(ref, status="succeeded", result=RESULT, fence=3, finished_at=NOW)


def failed(service, ref):
    failure = Failure(
        type="timed-out", title="t", detail="d", stage="fitting", retryable=True, grpc_status=None
    )
    service.store.change(ref, status="failed", error=failure, finished_at=NOW)


def erased(service, ref):
    service.store.erased.add(ref)


KINDS = {
    "queued": lambda service, ref: None,
    "processing": lambda service, ref: service.store.change(ref, status="processing"),
    "succeeded": succeeded,
    "failed": failed,
    "canceled": lambda service, ref: service.store.change(ref, status="canceled"),
    "erased": erased,
}


@pytest.fixture
def service(make_service):
    service = make_service()
    service.keys.add("ll_owner", tenant="acme")
    service.keys.add("ll_stranger", tenant="stranger")
    return service


def job(service, kind):
    body = form(pictures.png(), **{"webhook.url": "https://example.org/hook"})
    answer = service.client.post(URL, data=body, content_type=MULTIPART, headers=OWNER)
    ref = JobRef("acme", answer.get_json()["id"])
    KINDS[kind](service, ref)
    return ref.id


def routes_of_a_job(app):
    for rule in app.url_map.iter_rules():
        if "job_id" in rule.arguments:
            for method in sorted(rule.methods - {"OPTIONS"}):
                yield method, rule


def ask(service, method, rule, job_id, headers):
    values = {name: PATH.get(name, "x") for name in rule.arguments} | {"job_id": job_id}
    path = rule.rule
    for name, value in values.items():
        path = path.replace(f"<{name}>", value)
    more = next((body for part, body in BODIES.items() if path.endswith(part)), {})
    return service.client.open(path, method=method, headers=headers, **more)


@pytest.mark.parametrize("kind", KINDS)
def test_another_tenants_job_is_answered_like_one_that_never_was(service, kind):
    job_id = job(service, kind)
    tried = 0
    for method, rule in routes_of_a_job(service.client.application):
        hidden = ask(service, method, rule, job_id, STRANGER)
        missing = ask(service, method, rule, UNKNOWN, STRANGER)
        assert hidden.status_code == 404, (method, rule.rule)
        assert hidden.data.replace(job_id.encode(), UNKNOWN.encode()) == missing.data
        assert hidden.status == missing.status
        assert headers_of(hidden) == headers_of(missing)
        tried += 1
    assert tried >= 11


def test_the_owner_gets_what_the_stranger_does_not(service):
    # Otherwise the test above would pass for a service that answers 404 to everybody.
    job_id = job(service, "succeeded")
    for method, rule in routes_of_a_job(service.client.application):
        if method in ("GET", "HEAD") and not rule.rule.endswith("/events"):
            assert ask(service, method, rule, job_id, OWNER).status_code == 200, rule.rule


def test_what_a_stranger_tried_leaves_the_job_as_it_was(service):
    job_id = job(service, "queued")
    before, kept = dict(service.store.jobs), dict(service.blobs.kept)
    for method, rule in routes_of_a_job(service.client.application):
        ask(service, method, rule, job_id, STRANGER)
    assert service.store.jobs == before
    assert service.blobs.kept == kept
    assert ask_status(service, job_id) == 200


def headers_of(answer):
    """All but what counts the stranger's own requests."""
    return sorted(line for line in answer.headers if not line[0].startswith("RateLimit-"))


def ask_status(service, job_id):
    return service.client.get(f"{URL}/{job_id}", headers=OWNER).status_code
