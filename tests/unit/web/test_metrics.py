"""What a scrape of the front end finds."""

from __future__ import annotations

from tests.support.scrape import read
from tests.unit.web.fakes import NOW
from worker.jobs.condition import Backlog
from worker.jobs.counts import Count


def scrape(service):
    service.keys.add("ll_admin", scopes="admin")
    answer = service.client.get("/metrics", headers={"Authorization": "Bearer ll_admin"})
    assert answer.status_code == 200
    return read(answer.text)


def test_a_scrape_tells_what_is_true_of_the_whole_service(make_service):
    service = make_service(
        counts=[
            Count("created", ("bulk", "lite0"), 7),
            Count("finished", ("failed", "bad-model-output", "lite0"), 3),
        ]
    )
    service.catalogue.backlogs = {"bulk": Backlog(depth=4, oldest_s=31.5)}
    service.catalogue.seen = {"host/1": NOW, "host/2": NOW - 60}
    found = scrape(service)
    assert found.total("limelight_jobs_created_total", queue="bulk", model="lite0") == 7
    assert found.total("limelight_jobs_finished_total", error="bad-model-output") == 3
    assert found.total("limelight_jobs_queued", queue="bulk") == 4
    assert found.total("limelight_queue_oldest_age_seconds", queue="bulk") == 31.5
    assert found.total("limelight_workers") == 1
    assert found.total("limelight_model_seats_limit", model="lite0") == 2
    assert found.total("limelight_model_jobs_waiting", model="lite0") == 2


def test_while_redis_is_away_a_scrape_says_so_and_does_not_fail(service):
    service.keys.add("ll_admin", scopes="admin")
    service.catalogue.down = True
    found = scrape(service)
    assert found.samples == {("limelight_redis_up", frozenset()): 0.0}


def test_a_key_without_the_scope_admin_sees_no_figures(service):
    service.keys.add("ll_reader")
    headers = {"Authorization": "Bearer ll_reader"}
    assert service.client.get("/metrics", headers=headers).status_code == 403
    assert service.client.get("/metrics").status_code == 401
