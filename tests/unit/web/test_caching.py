"""What may be stored: nothing that a key, a session or a share link opened."""

from __future__ import annotations

import pytest

from tests.support import pictures
from tests.support.requests import MULTIPART, form
from tests.unit.web.results import succeed
from web.auth import Guarded

URL = "/v1/explanations"
BROWSER = {"Accept": "text/html,*/*;q=0.8"}


@pytest.fixture
def job_id(service):
    answer = service.client.post(URL, data=form(pictures.png()), content_type=MULTIPART)
    succeed(service, answer.json["id"])
    return answer.json["id"]


def paths(app, job_id, **named):
    """Each GET of the service, its view and its path."""
    values = {"class_index": 1, "filename": "signed.png", "name": "lite0", "slug": "gone", **named}
    with app.test_request_context():
        adapter = app.create_url_adapter(None) or app.url_map.bind("localhost")
        for rule in app.url_map.iter_rules():
            if "GET" in (rule.methods or ()):
                known = {"job_id": job_id, "asset": "page.js", **values}
                arguments = {name: known[name] for name in rule.arguments}
                yield app.view_functions[rule.endpoint], adapter.build(rule.endpoint, arguments)


def test_nothing_is_stored_that_not_everybody_may_see(service, job_id):
    guarded = 0
    for view, path in paths(service.client.application, job_id):
        with service.client.get(path, headers=BROWSER) as answer:
            stored = answer.headers.get("Cache-Control")
        assert isinstance(view, Guarded)
        if not view.is_open:
            guarded += 1
            assert stored == "no-store", path
    assert guarded > 12


@pytest.mark.parametrize("path", ["/assets/page.js", "/openapi.json", "/docs", "/problems/gone"])
def test_what_everybody_may_see_is_kept_for_a_while(service, path):
    with service.client.get(path) as answer:
        assert answer.headers["Cache-Control"] == "public, max-age=300"


def test_a_program_that_kept_an_answer_itself_still_asks_for_news_alone(service, job_id):
    first = service.client.get(f"{URL}/{job_id}/image")
    tag = {"If-None-Match": first.headers["ETag"]}
    again = service.client.get(f"{URL}/{job_id}/image", headers=tag)
    assert (again.status_code, again.headers["Cache-Control"]) == (304, "no-store")
