"""The webhook of a job: what is accepted, and what its owner sees of the deliveries."""

from __future__ import annotations

import pytest

from tests.support import pictures
from tests.support.requests import MULTIPART, as_base64, form
from tests.unit.web.fakes import NOW
from worker.jobs.job import WEBHOOK_EVENTS, JobRef, Webhook
from worker.jobs.tenants import Tenants, TenantSettings
from worker.webhooks.addresses import Policy
from worker.webhooks.outbox import Attempt

URL = "/v1/explanations"
HOOK = "https://example.org/hook"
PNG = pictures.png()


def post(service, webhook, **more):
    body = {"image": as_base64(PNG), "webhook": webhook}
    return service.client.post(URL, json=body, **more)


def accepted(service, webhook=None, **more):
    answer = post(service, {"url": HOOK} if webhook is None else webhook, **more)
    assert answer.status_code == 202, answer.get_json()
    return answer.get_json()


def recorded(service):
    (job,) = service.store.jobs.values()
    return job.request.webhook


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({"url": HOOK}, WEBHOOK_EVENTS),
        ({"url": HOOK, "events": None}, WEBHOOK_EVENTS),
        ({"url": HOOK, "events": ["explanation.failed"]}, ("explanation.failed",)),
        ({"url": HOOK, "events": ["explanation.failed"] * 2}, ("explanation.failed",)),
    ],
)
def test_a_webhook_is_recorded_with_the_events_that_it_is_to_be_told(service, asked, kept):
    accepted(service, asked)
    assert recorded(service) == Webhook(url=HOOK, events=kept)


def test_a_webhook_can_be_given_by_form_fields(service):
    fields = {"webhook.url": HOOK, "webhook.events": "explanation.succeeded, explanation.failed"}
    answer = service.client.post(URL, data=form(PNG, **fields), content_type=MULTIPART)
    assert answer.status_code == 202, answer.get_json()
    events = ("explanation.succeeded", "explanation.failed")
    assert recorded(service) == Webhook(url=HOOK, events=events)


@pytest.mark.parametrize("more", [{}, {"webhook": None}])
def test_a_job_without_a_webhook_has_none_and_links_to_none(service, more):
    body = {"image": as_base64(PNG), **more}
    job = service.client.post(URL, json=body).get_json()
    assert recorded(service) is None
    assert "webhook" not in job["links"]
    log = service.client.get(f"{URL}/{job['id']}/webhook")
    assert (log.status_code, log.get_json()["type"]) == (404, "/problems/not-found")
    assert "without a webhook" in log.get_json()["detail"]
    again = service.client.post(f"{URL}/{job['id']}/webhook/redeliver")
    assert (again.status_code, again.get_json()["type"]) == (409, "/problems/conflict")


def test_the_same_key_with_another_webhook_is_another_request(service):
    headers = {"Idempotency-Key": "k"}
    first = accepted(service, headers=headers)
    assert accepted(service, headers=headers)["id"] == first["id"]
    answer = post(service, {"url": f"{HOOK}/2"}, headers=headers)
    assert answer.get_json()["type"] == "/problems/idempotency-mismatch"


def test_http_is_accepted_where_the_operator_allows_it(make_service):
    assert post(make_service(), {"url": "http://example.org/"}).status_code == 422
    accepted(make_service(webhooks=Policy(allow_http=True)), {"url": "http://example.org/"})


def test_each_tenant_has_its_own_hosts(make_service):
    tenants = Tenants(named={"acme": TenantSettings(webhook_hosts=["hook.internal"])})
    service = make_service(tenants=tenants)
    for tenant in ("acme", "other"):
        service.keys.add(f"ll_{tenant}", tenant=tenant)
    webhook = {"url": "https://hook.internal/"}
    accepted(service, webhook, headers={"Authorization": "Bearer ll_acme"})
    refused = post(service, webhook, headers={"Authorization": "Bearer ll_other"})
    assert refused.get_json()["type"] == "/problems/bad-webhook-url"


def test_a_refused_url_is_told_by_its_reason_and_not_repeated(service):
    answer = post(service, {"url": "https://user:hunter2@example.org/"})
    problem = answer.get_json()
    assert problem["errors"] == [
        {"pointer": "/webhook/url", "detail": "must not carry a user name or a password"}
    ]
    assert "hunter2" not in answer.get_data(as_text=True)


def test_the_log_tells_every_event_and_every_try(service):
    job = accepted(service, {"url": HOOK, "events": ["explanation.succeeded"]})
    lost = Attempt(at=NOW + 1, took_s=15.0, error="timeout", detail="No answer.")
    told = service.outbox.add(
        JobRef("default", job["id"]),
        "succeeded",
        state="pending",
        attempts=(lost,),
        next_try_at=NOW + 5,
    )
    answer = service.client.get(job["links"]["webhook"])
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    path = f"{URL}/{job['id']}"
    assert answer.get_json() == {
        "url": HOOK,
        "events": ["explanation.succeeded"],
        "deliveries": [
            {
                "id": told.id,
                "event": "explanation.succeeded",
                "at": "2025-10-09T08:53:20.250Z",
                "state": "pending",
                "attempts": [
                    {
                        "at": "2025-10-09T08:53:21.250Z",
                        "took_s": 15.0,
                        "status_code": None,
                        "error": "timeout",
                        "detail": "No answer.",
                    }
                ],
                "next_try_at": "2025-10-09T08:53:25.250Z",
            }
        ],
        "links": {
            "self": f"{path}/webhook",
            "job": path,
            "redeliver": f"{path}/webhook/redeliver",
        },
    }


def test_the_log_is_empty_before_anything_has_happened(service):
    job = accepted(service)
    log = service.client.get(job["links"]["webhook"]).get_json()
    assert (log["deliveries"], "redeliver" in log["links"]) == ([], False)
    answer = service.client.post(f"{job['links']['webhook']}/redeliver")
    assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/conflict")


def test_a_redelivery_answers_the_log_with_what_is_due(service):
    job = accepted(service)
    ref = JobRef("default", job["id"])
    told = service.outbox.add(ref, "canceled")
    log = service.client.get(job["links"]["webhook"]).get_json()
    answer = service.client.post(log["links"]["redeliver"])
    assert answer.status_code == 202
    (delivery,) = answer.get_json()["deliveries"]
    assert (delivery["id"], delivery["state"]) == (told.id, "pending")
    assert service.outbox.redelivered == [ref]


def test_reading_the_log_needs_the_scope_read_and_redelivering_submit(service):
    reader = {"Authorization": f"Bearer {service.keys.add('ll_reader', scopes='read')}"}
    writer = {"Authorization": f"Bearer {service.keys.add('ll_writer', scopes='submit')}"}
    job = accepted(service, headers=writer)
    service.outbox.add(JobRef("acme", job["id"]), "succeeded")
    path = job["links"]["webhook"]
    asked = {
        (headers["Authorization"], method): service.client.open(
            path if method == "GET" else f"{path}/redeliver", method=method, headers=headers
        ).status_code
        for headers in (reader, writer)
        for method in ("GET", "POST")
    }
    assert asked == {
        ("Bearer ll_reader", "GET"): 200,
        ("Bearer ll_reader", "POST"): 403,
        ("Bearer ll_writer", "GET"): 403,
        ("Bearer ll_writer", "POST"): 202,
    }


def test_a_share_link_shows_nothing_of_the_webhook(service):
    owner = {"Authorization": f"Bearer {service.keys.add('ll_owner')}"}
    job = accepted(service, headers=owner)
    token = service.client.post(f"{job['links']['self']}/share", headers=owner).get_json()["token"]
    shared = service.client.get(f"{job['links']['self']}?share={token}")
    assert shared.status_code == 200
    assert HOOK not in shared.get_data(as_text=True)
    for method, path in (("GET", "webhook"), ("POST", "webhook/redeliver")):
        answer = service.client.open(f"{job['links']['self']}/{path}?share={token}", method=method)
        assert answer.status_code == 403
