"""Models, health, problem pages, headers, and a store that cannot be reached."""

from __future__ import annotations

import pytest

from tests.support import pictures
from tests.support.requests import MULTIPART, form
from tests.unit.web.conftest import LABELS, model
from tests.unit.web.fakes import NOW, SECRET_ADDRESS
from web.problems import PROBLEMS
from worker.jobs.condition import Backlog
from worker.jobs.errors import StoreMisconfigured, StoreRefuses

URL = "/v1/explanations"
UNKNOWN = "exp_" + "0" * 32


def test_models_are_listed_by_name_without_their_many_labels(make_service):
    service = make_service((model("b"), model("a", state="unavailable", problem="Start it.")))
    first, second = service.client.get("/v1/models").get_json()["models"]
    assert (first["name"], first["state"], first["problem"]) == ("a", "unavailable", "Start it.")
    assert second["input_size"] == [224, 224]
    assert second["seen_at"] == "2025-10-09T08:53:20.250Z"
    assert "labels" not in second


def test_a_model_is_shown_with_its_labels(service):
    shown = service.client.get("/v1/models/lite0").get_json()
    assert shown["labels"] == list(LABELS)
    assert (shown["version"], shown["class_count"]) == (3, 5)


def test_a_model_of_which_nothing_is_known_is_shown_with_nulls(make_service):
    unknown = dict.fromkeys(("version", "signature", "input_size", "labels", "class_count"))
    service = make_service((model(state="unavailable", **unknown),))
    shown = service.client.get("/v1/models/lite0").get_json()
    assert {shown[name] for name in unknown} == {None}


def test_the_process_is_live_whatever_the_store_does(service):
    service.catalogue.down = service.store.down = True
    assert service.client.get("/v2/health/live").status_code == 200


def test_it_is_ready_without_workers_and_says_who_there_is(service):
    shown = service.client.get("/v2/health/ready").get_json()
    assert shown["ready"] is True
    assert [worker["name"] for worker in shown["workers"]] == ["host/1"]
    service.catalogue.seen = {}
    assert service.client.get("/v2/health/ready").status_code == 200


def test_it_says_what_is_wrong_and_accepts_jobs_all_the_same(service):
    shown = service.client.get("/v2/health/ready").get_json()
    assert (shown["problems"], shown["queues"]["interactive"]["depth"]) == ([], 0)

    service.catalogue.seen = {"host/1": NOW - 26}
    service.catalogue.backlogs["interactive"] = Backlog(depth=7, oldest_s=61.26)
    service.catalogue.problems = ("Redis loses accepted jobs when it restarts",)
    answer = service.client.get("/v2/health/ready")
    assert answer.status_code == 200
    assert answer.get_json()["queues"] == {"interactive": {"depth": 7, "oldest_s": 61.3}}
    redis, silent, old = answer.get_json()["problems"]
    assert redis == "Redis loses accepted jobs when it restarts"
    assert silent.startswith("No worker has been heard from for 30 s")
    assert old.startswith("The oldest queued job of 'interactive' is 61 s old")


def test_it_is_not_ready_without_the_store(service):
    service.catalogue.down = True
    answer = service.client.get("/v2/health/ready")
    assert answer.status_code == 503
    assert answer.get_json()["type"] == "/problems/unavailable"


def test_it_is_not_ready_while_redis_takes_no_writes_and_says_why(service):
    service.catalogue.refusal = "Redis takes no writes (NOREPLICAS): bring the replicas back"
    answer = service.client.get("/v2/health/ready")
    assert answer.status_code == 503
    assert answer.get_json()["detail"] == service.catalogue.refusal
    assert int(answer.headers["Retry-After"]) > 0


def test_it_is_not_ready_where_redis_serves_nothing_and_tells_no_address(service):
    def refuse():
        raise StoreMisconfigured("Redis runs in cluster mode", answer=f"MOVED 1 {SECRET_ADDRESS}")

    service.catalogue._check = refuse
    answer = service.client.get("/v2/health/ready")
    assert answer.status_code == 503
    assert answer.get_json()["detail"] == "Redis runs in cluster mode"


def test_clients_are_told_to_come_back_and_not_what_redis_lacks(service):
    def refuse():
        raise StoreRefuses("Redis is a replica", answer="READONLY")

    service.store._check = refuse
    answer = service.client.post(f"{URL}/{UNKNOWN}/cancel")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "replica" not in answer.text


def test_it_is_not_ready_where_redis_was_emptied_so_that_no_model_is_known(make_service):
    service = make_service(())
    answer = service.client.get("/v2/health/ready")
    assert answer.status_code == 503
    assert answer.get_json()["type"] == "/problems/unavailable"
    assert "emptied" in answer.get_json()["detail"]
    assert service.client.get("/v2/health/live").status_code == 200


def test_with_the_store_down_every_answer_is_503_with_a_time_to_come_back(service):
    service.store.down = service.catalogue.down = True
    answers = [
        service.client.post(URL, data=form(pictures.png()), content_type=MULTIPART),
        service.client.get(f"{URL}/{UNKNOWN}"),
        service.client.get(f"{URL}/{UNKNOWN}/image"),
        service.client.get("/v1/models"),
    ]
    for answer in answers:
        assert answer.status_code == 503
        assert answer.content_type == "application/problem+json"
        assert int(answer.headers["Retry-After"]) > 0
        assert SECRET_ADDRESS not in answer.get_data(as_text=True)
        assert "10.1.2.3" not in answer.get_data(as_text=True)


def test_a_store_that_is_nearly_full_refuses_new_jobs_for_now(service):
    service.store.full = True
    answer = service.client.post(URL, data=form(pictures.png()), content_type=MULTIPART)
    assert answer.status_code == 503
    assert answer.get_json()["type"] == "/problems/queue-full"
    assert "Retry-After" in answer.headers
    assert SECRET_ADDRESS not in answer.get_data(as_text=True)


def test_a_fault_of_ours_tells_the_client_nothing_of_it(service):
    service.store.get = lambda ref: {}["/srv/secret.py"]
    answer = service.client.get(f"{URL}/{UNKNOWN}")
    assert answer.status_code == 500
    assert answer.get_json()["type"] == "/problems/internal"
    assert "secret" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/v1/models", "/nothing", "/v2/health/live", f"{URL}/{UNKNOWN}"])
def test_every_answer_forbids_guessing_and_scripts(service, path):
    headers = service.client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_wrong_method_is_told_the_right_ones(service):
    answer = service.client.put(URL)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("slug", PROBLEMS)
def test_the_page_of_a_problem_says_what_to_do(service, slug):
    shown = service.client.get(f"/problems/{slug}").get_json()
    assert shown["type"] == f"/problems/{slug}"
    assert shown["advice"]


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:9"])
def test_the_hosts_that_are_trusted_are_answered(service, host):
    assert service.client.get("/v1/models", headers={"Host": host}).status_code == 200


def test_a_subdomain_of_a_trusted_host_is_answered(make_service):
    service = make_service(trusted_hosts=".example.org")
    ask = service.client.get
    assert ask("/v1/models", headers={"Host": "a.example.org"}).status_code == 200
    assert ask("/v1/models", headers={"Host": "example.com"}).status_code == 400
