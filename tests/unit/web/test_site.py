"""The pages for people: what they show, to whom, under which policy."""

from __future__ import annotations

import io
import re
import zipfile
from hashlib import sha256

import pytest
from PIL import Image

from tests.support import pictures
from tests.unit.web.conftest import model
from tests.unit.web.results import RESULT, succeed
from web.sessions import COOKIE
from worker.jobs.job import Failure, JobRef

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
UNKNOWN = "exp_" + "0" * 32


def explain(service, **fields):
    data = {"image": (io.BytesIO(pictures.png()), "cat.png"), **fields}
    answer = service.client.post("/explanations", data=data, headers=BROWSER)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def look(service, path, **headers):
    return service.client.get(path, headers={**BROWSER, **headers})


def csrf_of(text):
    return re.search(r'name="csrf_token" value="([^"]+)"', text)[1]


def sign_in(service, key="ll_good", back_to="/"):
    return service.client.post("/sign-in", data={"key": key, "back_to": back_to}, headers=BROWSER)


@pytest.mark.parametrize("path", ["/", "/explanations", "/compare", "/sign-in", "job"])
def test_a_page_allows_what_this_server_has_and_nothing_inline(service, path):
    job_id = explain(service)
    succeed(service, job_id)
    answer = look(service, f"/explanations/{job_id}" if path == "job" else path)
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert not re.search(
        r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=\"/assets/)", answer.text
    )
    assert not re.search(r"(src|href)=\"(https?:)?//", answer.text)
    for asset in re.findall(r'"(/assets/[^"]+)"', answer.text):
        with service.client.get(asset) as found:
            assert found.status_code == 200, asset


def test_nothing_yet_is_said_in_words(make_service):
    assert "Nothing has been explained yet" in look(make_service(), "/").text
    assert "There is nothing here" in look(make_service(), "/explanations").text
    assert "nothing to compare yet" in look(make_service(), "/compare").text
    assert "No model is known yet" in look(make_service(models=[]), "/").text


def test_the_list_goes_on_where_a_page_of_it_ends(service):
    for _ in range(26):
        explain(service)
    first = look(service, "/explanations").text
    link = re.search(r'href="(/explanations\?cursor=[^"]+)"', first)[1]
    second = look(service, link).text
    ids = [re.findall(r'"/explanations/(exp_[0-9a-f]+)"', page) for page in (first, second)]
    assert [len(one) for one in ids] == [24, 2]
    assert len({*ids[0], *ids[1]}) == 26


def test_warnings_stand_with_what_to_change_at_the_class_that_they_are_about(service):
    job_id = explain(service)
    one = RESULT["warnings"][0]
    of_class = {**one, "class_index": 1, "severity": "critical", "text": "It never moved."}
    mild = {**one, "class_index": 1, "severity": "info", "text": "It is a score."}
    trust = {"level": "none", "reasons": []}
    explained = [{**RESULT["explanations"][0], "trust": trust}]
    succeed(service, job_id, warnings=[one, mild, of_class], explanations=explained)
    above, _, below = look(service, f"/explanations/{job_id}").text.partition('class="findings"')
    assert one["text"] in above
    assert one["cure"] in above
    assert below.index(of_class["text"]) < below.index(mild["text"])
    assert 'How far to trust it: <span class="trust">do not read it</span>' in below


def test_a_result_of_an_older_worker_is_shown_without_what_it_lacks(service):
    job_id = explain(service)
    older = {**RESULT["explanations"][0]}
    del older["trust"], older["score_kind"]
    succeed(service, job_id, warnings=[], explanations=[older])
    page = look(service, f"/explanations/{job_id}").text
    assert "How far to trust it</h3>" in page


def test_the_quantity_that_is_explained_is_named(service):
    job_id = explain(service)
    one = {**RESULT["explanations"][0], "score_kind": "score"}
    for scale, name in (("score", "score"), ("logit", "log-odds"), ("probability", "probability")):
        succeed(service, job_id, explanations=[{**one, "score_scale": scale}])
        page = look(service, f"/explanations/{job_id}").text
        assert f"What each adds to the {name}" in page
        assert "Each class’s score" in page


def test_names_are_shown_as_text_whatever_they_hold(make_service):
    service = make_service(models=[model(labels=("<b>x</b>", "Egyptian cat", "c", "d", "e"))])
    data = {"image": (io.BytesIO(pictures.png()), "<img src=x onerror=alert(1)>.png")}
    service.client.post("/explanations", data=data, headers=BROWSER)
    page = look(service, "/").text
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;.png" in page


def test_a_job_that_waits_refreshes_itself_without_scripts_and_one_that_ended_does_not(service):
    job_id = explain(service)
    refresh = '<noscript><meta http-equiv="refresh" content="2"></noscript>'
    assert refresh in look(service, f"/explanations/{job_id}").text
    succeed(service, job_id)
    page = look(service, f"/explanations/{job_id}").text
    assert refresh not in page
    assert "Egyptian cat" in page
    assert "Follows the model closely" in page


def test_a_job_that_failed_says_why(service):
    job_id = explain(service)
    failure = Failure(
        type="predictor-unavailable", title="t", detail="Nobody answers.", stage="sampling",
        retryable=True, grpc_status="UNAVAILABLE",
    )  # fmt: skip
    service.store.change(JobRef("default", job_id), status="failed", error=failure)
    page = look(service, f"/explanations/{job_id}").text
    assert "Nobody answers." in page
    assert 'href="/problems/predictor-unavailable"' in page


@pytest.mark.parametrize("status", ["canceled", "expired"])
def test_a_job_that_came_to_nothing_says_so(service, status):
    job_id = explain(service)
    service.store.change(JobRef("default", job_id), status=status)
    assert (
        f"This job {'was ' * (status == 'canceled')}{status}"
        in look(service, f"/explanations/{job_id}").text
    )


def test_an_old_link_says_that_the_job_is_past_its_retention(service):
    job_id = explain(service)
    token = service.client.post(f"/explanations/{job_id}/erase", headers=BROWSER)
    assert (token.status_code, token.headers["Location"]) == (303, "/")
    answer = look(service, f"/explanations/{job_id}")
    assert (answer.status_code, answer.mimetype) == (410, "text/html")
    assert "past its retention" in answer.text
    assert look(service, f"/explanations/{UNKNOWN}").status_code == 404


def test_a_store_that_is_away_is_told_on_a_page(service):
    service.store.down = True
    answer = look(service, "/")
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert answer.headers["Retry-After"] == "5"
    assert "hunter2" not in answer.text


def test_a_job_is_canceled_from_its_page(service):
    job_id = explain(service)
    answer = service.client.post(f"/explanations/{job_id}/cancel", headers=BROWSER)
    assert answer.headers["Location"] == f"/explanations/{job_id}"
    assert service.store.jobs[JobRef("default", job_id)].status == "canceled"


def test_with_keys_a_page_asks_for_one_and_goes_on_to_where_one_was(service):
    service.keys.add("ll_good")
    asked = look(service, "/explanations?cursor=")
    assert (asked.status_code, asked.mimetype) == (401, "text/html")
    assert 'name="back_to" value="/explanations?cursor="' in asked.text
    answer = sign_in(service, back_to="/compare")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/compare")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "acme" in look(service, "/").text


def test_a_key_that_is_not_good_is_said_so_and_shown_nowhere(service):
    service.keys.add("ll_good")
    answer = sign_in(service, key="ll_secret_but_wrong")
    assert answer.status_code == 401
    assert "This key is not good" in answer.text
    assert "ll_secret_but_wrong" not in answer.text


@pytest.mark.parametrize(
    "back_to", ["https://evil.example", "//evil.example", "/\\evil.example", "", "/\n/x"]
)
def test_signing_in_leads_to_no_other_site(service, back_to):
    service.keys.add("ll_good")
    assert sign_in(service, back_to=back_to).headers["Location"] == "/"


def test_another_sites_page_cannot_sign_somebody_in(service):
    service.keys.add("ll_good")
    answer = service.client.post(
        "/sign-in", data={"key": "ll_good"}, headers={**BROWSER, "Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_who_comes_from_another_site_is_asked_once_more_by_the_browser_itself(service):
    service.keys.add("ll_good")
    again = '<meta http-equiv="refresh" content="0">'
    assert again in look(service, "/", **{"Sec-Fetch-Site": "cross-site"}).text
    assert again not in look(service, "/", **{"Sec-Fetch-Site": "same-origin"}).text


def test_in_a_session_a_form_needs_the_token_that_its_page_has(service):
    service.keys.add("ll_good")
    sign_in(service)
    data = {"image": (io.BytesIO(pictures.png()), "cat.png")}
    refused = service.client.post("/explanations", data=data, headers=BROWSER)
    assert (refused.status_code, refused.mimetype) == (403, "text/html")
    explain(service, csrf_token=csrf_of(look(service, "/").text))
    data = {
        "image": (io.BytesIO(pictures.png()), "cat.png"),
        "csrf_token": csrf_of(look(service, "/").text),
    }
    assert service.client.post("/v1/explanations", data=data).status_code == 403


def test_signing_out_ends_the_session(service):
    service.keys.add("ll_good")
    sign_in(service)
    token = csrf_of(look(service, "/").text)
    assert service.client.post("/sign-out", data={}, headers=BROWSER).status_code == 403
    service.client.post("/sign-out", data={"csrf_token": token}, headers=BROWSER)
    assert look(service, "/").status_code == 401


def test_a_key_without_the_scope_sees_and_makes_nothing(service):
    service.keys.add("ll_good", scopes="read")
    sign_in(service)
    page = look(service, "/").text
    assert "lacks the scope" in page
    assert 'id="explain"' not in page


def test_a_shared_page_shows_its_job_with_all_that_belongs_to_it_and_no_way_on(service):
    service.keys.add("ll_good")
    sign_in(service)
    token = csrf_of(look(service, "/").text)
    job_id = explain(service, csrf_token=token)
    succeed(service, job_id, tenant="acme")
    shared = service.client.post(
        f"/explanations/{job_id}/share", data={"csrf_token": token}, headers=BROWSER
    )
    link = re.search(r'readonly value="([^"]+)"', shared.text)[1].replace("http://localhost", "")
    service.client.delete_cookie(COOKIE)
    page = look(service, link).text
    assert "Egyptian cat" in page
    assert "<nav" not in page
    assert "/share" not in page
    linked = re.findall(r'(?:src|href|data-\w+)="(/v1/[^"]+)"', page)
    assert len(linked) >= 6
    for path in linked:
        assert service.client.get(path).status_code == 200, path
    assert look(service, f"/explanations/{job_id}").status_code == 401
    dead = look(service, f"/explanations/{job_id}?share=x")
    assert (dead.status_code, "This link is no longer good" in dead.text) == (401, True)


def test_thumbnails_are_small_and_made_once(service):
    job_id = explain(service)
    path = f"/explanations/{job_id}/thumbnail.webp"
    first = service.client.get(path)
    assert first.content_type == "image/webp"
    assert max(Image.open(io.BytesIO(first.data)).size) <= 480
    reads = service.blobs.reads
    assert service.client.get(path).data == first.data
    assert service.blobs.reads == reads


def test_the_evidence_holds_everything_with_its_digests_and_is_the_same_each_time(service):
    job_id = explain(service)
    path = f"/v1/explanations/{job_id}/evidence.zip"
    assert service.client.get(path).status_code == 404
    succeed(service, job_id)
    answer = service.client.get(path)
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert archive.testzip() is None
    held = {name.removeprefix(f"{job_id}/"): archive.read(name) for name in archive.namelist()}
    assert set(held) == {
        "image.png", "job.json", "attributions.json", "segments.png",
        "overlays/1/signed.png", "overlays/1/heatmap.webp", "SHA256SUMS",
    }  # fmt: skip
    sums = dict(line.split("  ")[::-1] for line in held.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: sha256(data).hexdigest() for name, data in held.items()}
    assert held["job.json"] == service.client.get(f"/v1/explanations/{job_id}").data
    assert service.client.get(path).data == answer.data


@pytest.mark.parametrize("missing", ["b", "a"])
def test_a_comparison_of_what_is_not_there_is_refused_in_words(service, missing):
    job_id = explain(service)
    succeed(service, job_id)
    good = f"{job_id}:1"
    for bad, status in ((f"{UNKNOWN}:1", 422), (f"{job_id}:9", 422), ("x", 422)):
        sides = {"a": good, "b": good, missing: bad}
        answer = look(service, f"/compare?a={sides['a']}&b={sides['b']}")
        assert (answer.status_code, answer.mimetype) == (status, "text/html")


def test_a_comparison_tells_of_each_side_what_is_wrong_with_the_whole_job(service):
    job_id = explain(service)
    doubt = {
        "code": "output-depends-on-batch", "severity": "critical", "class_index": None,
        "text": "The scores depend on the batch.", "cure": "Export it for inference.",
    }  # fmt: skip
    succeed(service, job_id, warnings=[doubt])
    page = look(service, f"/compare?a={job_id}:1&b={job_id}:1").text
    assert page.count('<li class="statement critical">') == 2
    assert page.count("<b>The scores depend on the batch.</b>") == 2


def test_a_comparison_names_the_units_that_differ(service):
    one = RESULT["explanations"][0]
    sides = []
    for scale in ("score", "probability"):
        sides.append(explain(service))
        succeed(service, sides[-1], explanations=[{**one, "score_scale": scale}])
    page = look(service, f"/compare?a={sides[0]}&b={sides[1]}").text
    assert "One explains the score and the other the probability" in page
    assert "log-odds" not in page
