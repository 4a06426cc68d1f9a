"""Pages of other origins: what browsers are told of them, and what that costs nobody."""

from __future__ import annotations

import pytest

from tests.support import pictures
from tests.support.requests import MULTIPART, form
from web.main import CannotStart, read_settings
from web.settings import WebSettings
from worker.jobs.tenants import Tenants, TenantSettings

URL = "/v1/explanations"
APP = "https://app.example.org"
UNKNOWN = "exp_" + "0" * 32
ALLOW = "Access-Control-Allow-Origin"


@pytest.fixture
def service(make_service):
    return make_service(cors_origins=f"{APP},http://localhost:5173,http://[::1]:3000")


def ask_first(service, path=URL, origin=APP, method="POST"):
    """Ask as browsers do before a request that no form could have made."""
    return service.client.options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,idempotency-key",
            "Sec-Fetch-Site": "cross-site",
        },
    )


def post(service, **headers):
    return service.client.post(
        URL, data=form(pictures.png()), content_type=MULTIPART, headers=headers
    )


@pytest.mark.parametrize("origin", [APP, "http://localhost:5173", "http://[::1]:3000"])
def test_a_named_origin_may_ask_and_read(service, origin):
    service.keys.add("ll_good")
    told = ask_first(service, origin=origin)
    assert (told.status_code, told.headers[ALLOW]) == (200, origin)
    assert "POST" in told.headers["Access-Control-Allow-Methods"].split(", ")
    sent = told.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key", "last-event-id"} <= set(sent)
    answer = post(service, Origin=origin, Authorization="Bearer ll_good")
    assert (answer.status_code, answer.headers[ALLOW]) == (202, origin)
    read = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Location", "Retry-After", "ETag", "RateLimit-Remaining"} <= set(read)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.org", "https://app.example.org.evil.org", "http://app.example.org",
        "https://app.example.org:8443", "https://appxexample.org", "null", "", "HTTPS://APP.EXAMPLE.ORG",
    ],
)  # fmt: skip
def test_no_other_origin_may(service, origin):
    for answer in (ask_first(service, origin=origin), post(service, Origin=origin)):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert "Origin" in answer.headers["Vary"]


def test_without_the_setting_nothing_is_said_at_all(make_service):
    service = make_service()
    for answer in (ask_first(service), post(service, Origin=APP)):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert "Vary" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", f"{URL}/{UNKNOWN}", 404),
        ("PUT", URL, 405),
        ("POST", URL, 415),
        ("GET", "/v2/health/live", 200),
        ("GET", "/openapi.json", 200),
    ],
)
def test_errors_and_what_is_open_can_be_read_too(service, method, path, status):
    answer = service.client.open(path, method=method, headers={"Origin": APP})
    assert (answer.status_code, answer.headers[ALLOW]) == (status, APP)


def test_a_refusal_for_want_of_a_key_can_be_read(service):
    service.keys.add("ll_good")
    answer = post(service, Origin=APP)
    assert (answer.status_code, answer.headers[ALLOW]) == (401, APP)


def test_an_answer_that_depends_on_nobodys_origin_says_that_it_might(service):
    # A cache must not give it to a page that needs the header.
    assert "Origin" in service.client.get("/openapi.json").headers["Vary"]


def test_an_event_stream_can_be_read(service):
    job = post(service).json
    answer = service.client.head(job["links"]["events"], headers={"Origin": APP})
    assert answer.headers[ALLOW] == APP


def test_no_cookie_is_ever_allowed(service):
    for answer in (ask_first(service), ask_first(service, "/session"), post(service, Origin=APP)):
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/explanations", "/sign-in"])
def test_pages_are_for_nobody_else(service, path):
    for answer in (
        service.client.get(path, headers={"Origin": APP}),
        ask_first(service, path, method="GET"),
    ):
        assert ALLOW not in answer.headers


def test_asking_first_does_not_count_towards_a_rate(make_service):
    tenants = Tenants(defaults=TenantSettings(rate_limit="2/minute"))
    service = make_service(cors_origins=APP, tenants=tenants)
    for _ in range(5):
        assert ask_first(service).status_code == 200
    assert [post(service, Origin=APP).status_code for _ in range(3)] == [202, 202, 429]


def test_a_refusal_for_the_rate_says_when_to_come_back_and_can_be_read(make_service):
    tenants = Tenants(defaults=TenantSettings(rate_limit="1/minute"))
    service = make_service(cors_origins=APP, tenants=tenants)
    answer = [post(service, Origin=APP) for _ in range(2)][-1]
    assert (answer.status_code, answer.headers[ALLOW]) == (429, APP)
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    assert int(answer.headers["Retry-After"]) > 0


def test_where_there_are_no_keys_a_page_of_a_named_site_may_submit_and_of_others_not(service):
    site = {"Sec-Fetch-Site": "cross-site"}
    assert post(service, Origin=APP, **site).status_code == 202
    assert post(service, Origin="https://evil.org", **site).status_code == 403
    assert post(service, **site).status_code == 403


def test_asking_first_makes_nothing(service):
    for method in ("POST", "DELETE", "GET"):
        ask_first(service, method=method)
    assert service.is_untouched()


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("HTTPS://App.Example.org/", (APP,)),
        ("https://app.example.org:443, http://a:80", (APP, "http://a")),
        ("http://[::0:1]:3000", ("http://[::1]:3000",)),
        ("https://bücher.example", ("https://xn--bcher-kva.example",)),
        (" , ", ()),
    ],
)
def test_an_origin_is_compared_as_browsers_write_it(text, origins):
    assert WebSettings(cors_origins=text).cors_origins == origins


@pytest.mark.parametrize(
    "text",
    ["*", "null", "app.example.org", "https://*.example.org", f"{APP}/page", f"{APP}?a", "ftp://a.org",
     "https://u:p@a.org", "https://", "https://a.org:99999", "[1]"],
)  # fmt: skip
def test_what_no_browser_would_send_stops_the_start(monkeypatch, text):
    monkeypatch.setenv("LIMELIGHT_CORS_ORIGINS", text)
    with pytest.raises(CannotStart, match="LIMELIGHT_CORS_ORIGINS: must be origins"):
        read_settings()
