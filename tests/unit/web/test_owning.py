"""What owners do with their jobs: list, cancel, erase, send again."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import pictures
from tests.support.requests import MULTIPART, document, form
from tests.unit.web.results import succeed
from worker.jobs.job import JobRef

URL = "/v1/explanations"
PNG = pictures.png()


def post(service, body=None, **headers):
    return service.client.post(URL, data=body or form(PNG), content_type=MULTIPART, headers=headers)


@pytest.fixture
def job_id(service):
    return post(service).get_json()["id"]


def listed(service, query=""):
    answer = service.client.get(f"{URL}{query}")
    assert answer.status_code == 200, answer.get_json()
    return answer.get_json()


def refused(answer, status, slug):
    problem = answer.get_json()
    assert (answer.status_code, problem["type"]) == (status, f"/problems/{slug}"), problem
    return problem


# --- list -----------------------------------------------------------------------------------------


def test_the_list_shows_members_of_the_jobs(service, job_id):
    succeed(service, job_id)
    (summary,) = listed(service)["explanations"]
    job = service.client.get(f"{URL}/{job_id}").get_json()
    assert summary.pop("model") == {"name": job["model"]["name"]}
    links = summary.pop("links")
    assert links["self"] == job["links"]["self"]
    assert summary == {name: job[name] for name in summary}
    assert not {"explanations", "predictions", "options"} & set(summary)


def test_pages_lead_to_each_other_and_end(service):
    made = {post(service).get_json()["id"] for _ in range(5)}
    found, query = [], "?limit=2"
    while True:
        page = listed(service, query)
        found += [job["id"] for job in page["explanations"]]
        if page["next"] is None:
            break
        query = f"?limit=2&cursor={page['next']}"
    assert len(found) == 5
    assert set(found) == made


def test_a_list_without_jobs_is_empty(service):
    assert listed(service) == {"explanations": [], "next": None}


def test_jobs_are_filtered(service, job_id):
    assert listed(service, "?status=queued&model=lite0")["explanations"]
    assert not listed(service, "?status=failed")["explanations"]
    assert not listed(service, "?model=resnet")["explanations"]


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("?status=done", "/status"),
        ("?limit=0", "/limit"),
        ("?limit=101", "/limit"),
        ("?limit=ten", "/limit"),
        ("?limit=5&limit=6", "/limit"),
        ("?page=2", "/page"),
        ("?cursor=%C3%A9", "/cursor"),
        ("?cursor=abc", "/cursor"),
        (f"?cursor={encoded('nan exp_' + '0' * 32)}", "/cursor"),
        (f"?cursor={encoded('1e999 exp_' + '0' * 32)}", "/cursor"),
        (f"?cursor={encoded('1.5 exp_1')}", "/cursor"),
        (f"?cursor={'a' * 300}", "/cursor"),
        ("?model=%00", "/model"),
    ],
)
def test_a_query_that_cannot_be_used_is_refused_by_name(service, query, pointer):
    problem = refused(service.client.get(f"{URL}{query}"), 422, "invalid-request")
    assert problem["errors"][0]["pointer"] == pointer


# --- cancel ---------------------------------------------------------------------------------------


def test_a_queued_job_is_canceled(service, job_id):
    answer = service.client.post(f"{URL}/{job_id}/cancel")
    assert (answer.status_code, answer.get_json()["status"]) == (202, "canceled")
    assert "Retry-After" not in answer.headers
    assert set(answer.get_json()["links"]) == {"self", "image"}


def test_a_running_job_is_canceled_before_long(service, job_id):
    service.store.change(JobRef("default", job_id), status="processing")
    answer = service.client.post(f"{URL}/{job_id}/cancel")
    assert (answer.status_code, answer.get_json()["status"]) == (202, "processing")
    assert answer.headers["Retry-After"] == "1"
    assert service.store.jobs[JobRef("default", job_id)].cancel_requested


def test_a_job_that_has_ended_cannot_be_canceled(service, job_id):
    succeed(service, job_id)
    refused(service.client.post(f"{URL}/{job_id}/cancel"), 409, "conflict")


# --- erase ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_ended", [False, True])
def test_an_erased_job_leaves_nothing_but_the_fact(service, job_id, has_ended):
    if has_ended:
        succeed(service, job_id)
    answer = service.client.delete(f"{URL}/{job_id}")
    assert (answer.status_code, answer.data) == (204, b"")
    assert not service.blobs.kept
    for again in (service.client.get, service.client.delete):
        refused(again(f"{URL}/{job_id}"), 410, "gone")
    assert not listed(service)["explanations"]


@pytest.mark.parametrize("job_id", ["exp_" + "0" * 32, "exp_1", "..", "x" * 5000])
def test_jobs_that_do_not_exist_are_not_found(service, job_id):
    path = f"{URL}/{job_id}"
    for answer in (
        service.client.delete(path),
        service.client.post(f"{path}/cancel"),
        service.client.get(f"{path}/events"),
    ):
        # The router resolves the dots.
        assert answer.status_code in ((404,) if job_id != ".." else (404, 405))


# --- send again -----------------------------------------------------------------------------------


def test_a_repeated_request_gets_the_first_answer_and_makes_no_second_job(service):
    first = post(service, **{"Idempotency-Key": "one"})
    service.store.change(JobRef("default", first.get_json()["id"]), status="processing")
    again = post(service, **{"Idempotency-Key": "one"})
    assert (again.status_code, again.data) == (202, first.data)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert len(service.store.jobs) == len(service.queue.messages) == 1


def test_without_a_key_every_request_is_a_job(service):
    assert post(service).get_json()["id"] != post(service).get_json()["id"]


@pytest.mark.parametrize(
    "other",
    [form(PNG, classes="2"), form(pictures.jpeg()), form(PNG, metadata__a="b")],
)
def test_another_request_under_the_same_key_is_refused(service, other):
    post(service, **{"Idempotency-Key": "one"})
    refused(post(service, other, **{"Idempotency-Key": "one"}), 422, "idempotency-mismatch")
    assert len(service.store.jobs) == 1


def test_what_is_said_and_what_is_left_to_its_default_are_the_same_request(service):
    keyed = {"Idempotency-Key": "one"}
    kinds = [document(PNG), document(PNG, queue="interactive", preset="default")]
    ids = [
        service.client.post(URL, data=body, content_type="application/json", headers=keyed)
        .get_json()["id"]
        for body in kinds
    ]  # fmt: skip
    assert ids[0] == ids[1]


def test_a_refused_request_does_not_use_its_key_up(service):
    refused(post(service, form(PNG, model="no"), **{"Idempotency-Key": "k"}), 422, "unknown-model")
    service.store.full = True
    refused(post(service, **{"Idempotency-Key": "k"}), 503, "queue-full")
    service.store.full = False
    assert post(service, **{"Idempotency-Key": "k"}).status_code == 202


def test_a_request_that_is_being_served_is_not_served_twice(service):
    from_elsewhere = {}

    def arrive_twice(ref, queue_name):
        if not from_elsewhere:
            from_elsewhere["answer"] = None
            with ThreadPoolExecutor(1) as other:
                repeat = other.submit(post, service, **{"Idempotency-Key": "k"})
                from_elsewhere["answer"] = repeat.result()

    service.queue.publish = arrive_twice
    assert post(service, **{"Idempotency-Key": "k"}).status_code == 202
    refused(from_elsewhere["answer"], 409, "conflict")
    assert from_elsewhere["answer"].headers["Retry-After"] == "1"
    assert len(service.store.jobs) == 1


def test_the_key_of_an_erased_job_says_that_it_is_gone(service):
    job_id = post(service, **{"Idempotency-Key": "k"}).get_json()["id"]
    service.client.delete(f"{URL}/{job_id}")
    refused(post(service, **{"Idempotency-Key": "k"}), 410, "gone")


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "tab\there"])
def test_a_key_that_is_none_is_refused(service, key):
    refused(post(service, **{"Idempotency-Key": key}), 400, "invalid-request")
    assert service.is_untouched()
