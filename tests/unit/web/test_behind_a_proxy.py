"""Behind a reverse proxy: prefix, scheme, host and client, and whose word on them is taken."""

from __future__ import annotations

import json
import re

import pytest
from flask import request

from tests.support import pictures
from tests.support.requests import MULTIPART, form
from tests.unit.web.results import succeed
from web.logs import add_request

URL = "/v1/explanations"
BROWSER = {"Accept": "text/html,*/*;q=0.8"}
PUBLIC = "https://people.example.org/explain"
# Forms answer to POST alone, and a stream that is over has nothing to say.
THERE = (200, 204, 405)
PROXY = {"REMOTE_ADDR": "10.1.0.9"}
_PATH = re.compile(r'(?:href|src|action|data-(?!stages|waiting|presets)[a-z]+)="(/[^"]*)"')


def explain(service, below="", **how):
    return service.client.post(
        f"{below}{URL}", data=form(pictures.png()), content_type=MULTIPART, **how
    )


@pytest.fixture(params=["stripped", "passed on"])
def below(request):
    """What the proxy leaves of the prefix in the paths that it passes on."""
    return "" if request.param == "stripped" else "/explain"


@pytest.fixture
def published(make_service):
    return make_service(public_url=PUBLIC)


def paths_in(document):
    """All texts of a document that are paths."""
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        return [path for one in document for path in paths_in(one)]
    return [document] if isinstance(document, str) and document.startswith("/") else []


def test_every_path_of_a_page_leads_back_through_the_proxy(published, below):
    client = published.client
    job_id = explain(published, below).json["id"]
    waiting = client.get(f"{below}/explanations/{job_id}", headers=BROWSER).text
    succeed(published, job_id)
    paths = (
        "/", "/explanations", f"/?image={job_id}", f"/explanations/{job_id}", "/docs", "/sign-in",
        f"/compare?a={job_id}:1&b={job_id}:1", "/explanations/exp_0", "/problems/gone",
    )  # fmt: skip
    pages = [client.get(f"{below}{path}", headers=BROWSER).text for path in paths]
    found = {path.split("#")[0] for page in (waiting, *pages) for path in _PATH.findall(page)}
    assert len(found) > 30
    for path in found:
        assert path.startswith("/explain/"), path
        with client.get(path.replace("&amp;", "&"), headers=BROWSER) as answer:
            assert answer.status_code in THERE, path


def test_every_path_of_a_document_leads_back_through_the_proxy(published, below):
    answer = explain(published, below)
    links = [answer.headers["Location"], *answer.json["links"].values()]
    succeed(published, answer.json["id"])
    path = f"{below}{URL}/{answer.json['id']}"
    for shown in (f"{below}{URL}", f"{below}/v1/models", f"{below}/v1/models/lite0", path):
        links += paths_in(published.client.get(shown).json)
    share = published.client.post(f"{path}/share").json["url"]
    assert len(links) > 15
    for link in (*links, share):
        assert link.startswith("/explain/"), link
        assert published.client.get(link).status_code in THERE


def test_a_problem_names_its_type_and_itself_below_the_prefix(published, below):
    problem = published.client.get(f"{below}/v1/nothing").json
    assert problem["type"] == "/explain/problems/not-found"
    assert problem["instance"] == "/explain/v1/nothing"
    assert published.client.get(problem["type"]).json["type"] == problem["type"]


def test_the_document_of_the_api_names_the_prefix(published, below):
    document = published.client.get(f"{below}/openapi.json").json
    assert document["servers"] == [{"url": "/explain"}]
    assert "/v1/explanations" in document["paths"]
    text = json.dumps(document["paths"])
    assert '"/explain/problems/not-found"' in text
    assert '"/problems/not-found"' not in text


def test_the_bare_prefix_is_the_page(published):
    assert published.client.get("/explain", headers=BROWSER).status_code == 200
    assert published.client.get("/explained", headers=BROWSER).status_code == 404


def test_forms_lead_on_below_the_prefix(published, below):
    job_id = explain(published, below).json["id"]
    gone_to = [
        published.client.post(f"{below}/explanations/{job_id}/{what}").headers["Location"]
        for what in ("cancel", "erase")
    ]
    assert gone_to == [f"/explain/explanations/{job_id}", "/explain/"]


def test_a_session_ends_where_it_began_below_the_prefix(published, below):
    published.keys.add("ll_good")
    asked = published.client.get(f"{below}/explanations?cursor=", headers=BROWSER)
    assert 'name="back_to" value="/explain/explanations?cursor="' in asked.text
    for back_to, place in (("/explain/compare", "/explain/compare"), ("/elsewhere", "/explain/")):
        data = {"key": "ll_good", "back_to": back_to}
        answer = published.client.post(f"{below}/sign-in", data=data, headers=BROWSER)
        assert answer.headers["Location"] == place
    for attribute in ("Path=/explain", "Secure", "HttpOnly", "SameSite=Strict"):
        assert attribute in answer.headers["Set-Cookie"].split("; ")
    nobody = published.client.application.test_client()
    deleted = nobody.delete(f"{below}/session").headers["Set-Cookie"]
    assert "Path=/explain" in deleted.split("; ")


def test_a_link_to_share_has_the_public_address_whatever_host_was_asked(published, below):
    job_id = explain(published, below).json["id"]
    for host in ("localhost", "people.example.org"):
        answer = published.client.post(
            f"{below}/explanations/{job_id}/share",
            headers={"Accept": "application/json", "Host": host},
        )
        assert answer.json["link"].startswith(f"{PUBLIC}/explanations/{job_id}?share=")


def test_the_public_host_is_answered_for_and_no_other(published):
    ask = published.client.get
    assert ask("/v1/models", headers={"Host": "People.example.org:443"}).status_code == 200
    assert ask("/v1/models", headers={"Host": "evil.example.org"}).status_code == 400


@pytest.mark.parametrize("path", ["/v1//explanations", "/v1/explanations/", "/v1/explanations//"])
def test_a_path_that_is_written_otherwise_is_not_there_and_leads_nowhere(service, path):
    answer = service.client.post(path, data=form(pictures.png()), content_type=MULTIPART)
    assert answer.status_code == 404
    assert "Location" not in answer.headers
    assert service.is_untouched()


# --- whose word is taken --------------------------------------------------------------------------


def seen(service, headers, peer):
    """What the application sees of a request from this peer."""
    app = service.client.application
    found = {}

    def look():
        found.update(
            client=request.remote_addr, scheme=request.scheme, host=request.host,
            prefix=request.script_root, path=request.path,
        )  # fmt: skip

    app.before_request_funcs.setdefault(None, []).insert(0, look)
    service.client.get("/v2/health/live", headers=headers, environ_base={"REMOTE_ADDR": peer})
    return found


TOLD = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "people.example.org",
    "X-Forwarded-Prefix": "/explain",
}


def test_a_trusted_proxy_is_believed(make_service):
    service = make_service(trusted_proxies="10.1.0.0/16")
    assert seen(service, TOLD, "10.1.0.9") == {
        "client": "203.0.113.7",
        "scheme": "https",
        "host": "people.example.org",
        "prefix": "/explain",
        "path": "/v2/health/live",
    }


@pytest.mark.parametrize("trusted", ["", "10.2.0.0/16", "2001:db8::/32"])
def test_nobody_else_is(make_service, trusted):
    service = make_service(trusted_proxies=trusted)
    forwarded = {"Forwarded": "for=203.0.113.7;proto=https;host=people.example.org"}
    assert seen(service, {**TOLD, **forwarded}, "10.1.0.9") == {
        "client": "10.1.0.9",
        "scheme": "http",
        "host": "localhost",
        "prefix": "",
        "path": "/v2/health/live",
    }


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        # What stands before the first that is no proxy came from the client.
        ("198.51.100.66, 203.0.113.7", "203.0.113.7"),
        ("198.51.100.66, 203.0.113.7, 10.1.0.8", "203.0.113.7"),
        ("10.1.0.1, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        # Not an address: the proxy nearest to it is all that is known.
        ("203.0.113.7, unknown", "10.1.0.9"),
        ("203.0.113.7, unknown, 10.1.0.8", "10.1.0.8"),
        ("10.1.0.7, 10.1.0.8", "10.1.0.7"),
        ("", "10.1.0.9"),
    ],
)
def test_the_client_is_the_last_before_our_proxies(make_service, chain, client):
    service = make_service(trusted_proxies="10.1.0.0/16")
    assert seen(service, {"X-Forwarded-For": chain}, "10.1.0.9")["client"] == client


def test_what_is_logged_of_a_request_names_its_client(make_service):
    service = make_service(trusted_proxies="10.1.0.9")
    found = {}
    look = service.client.application.before_request
    look(lambda: found.update(add_request(None, "", {})))
    service.client.get("/v2/health/live", headers=TOLD, environ_base=PROXY)
    assert found["client"] == "203.0.113.7"


def test_an_outer_proxy_knows_the_scheme_that_an_inner_one_no_longer_sees(make_service):
    service = make_service(trusted_proxies="10.1.0.0/16")
    chain = {"X-Forwarded-For": "203.0.113.7, 10.1.0.8", "X-Forwarded-Proto": "https, http"}
    assert seen(service, chain, "10.1.0.9")["scheme"] == "https"
    chain = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https, http"}
    assert seen(make_service(trusted_proxies="10.1.0.9"), chain, "10.1.0.9")["scheme"] == "http"


@pytest.mark.parametrize(
    ("header", "client", "scheme", "host"),
    [
        ("for=203.0.113.7;proto=https;host=people.example.org", "203.0.113.7", "https",
         "people.example.org"),
        ('For="[2001:db8::7]:4711";Proto=HTTPS', "2001:db8::7", "https", "localhost"),
        ("for=198.51.100.66;host=evil.org, for=203.0.113.7;proto=https;host=a.org",
         "203.0.113.7", "https", "a.org"),
        ("for=203.0.113.7;proto=https, for=10.1.0.8;proto=http", "203.0.113.7", "https",
         "localhost"),
        ("for=_hidden;proto=https", "10.1.0.9", "https", "localhost"),
        ("for=unknown, nonsense;;=", "10.1.0.9", "http", "localhost"),
    ],
)  # fmt: skip
def test_a_proxy_may_write_the_standard_header_instead(make_service, header, client, scheme, host):
    service = make_service(trusted_proxies="10.1.0.0/16", proxy_headers="forwarded")
    found = seen(service, {**TOLD, "Forwarded": header}, "10.1.0.9")
    assert (found["client"], found["scheme"], found["host"]) == (client, scheme, host)
    # Of the other kind it writes none, so what there is came from the client.
    assert found["prefix"] == ""


def test_a_standard_header_that_the_proxy_only_passed_on_counts_for_nothing(make_service):
    service = make_service(trusted_proxies="10.1.0.0/16")
    found = seen(service, {"Forwarded": "for=198.51.100.66;proto=https"}, "10.1.0.9")
    assert (found["client"], found["scheme"]) == ("10.1.0.9", "http")


@pytest.mark.parametrize(
    "prefix", ["//evil.org", "https://evil.org", "/a b", '/"', "/v1", "x", "/..", "/a//b", "/a/./b"]
)
def test_a_prefix_that_could_lead_astray_is_none(make_service, prefix):
    service = make_service(trusted_proxies="10.1.0.9")
    assert seen(service, {"X-Forwarded-Prefix": prefix}, "10.1.0.9")["prefix"] == ""


def test_the_setting_goes_before_what_proxies_say_of_the_prefix(make_service):
    service = make_service(trusted_proxies="10.1.0.9", public_url="https://a.org/here")
    assert seen(service, TOLD, "10.1.0.9")["prefix"] == "/here"


def test_a_forwarded_host_has_to_be_trusted_like_any_other(make_service):
    service = make_service(trusted_proxies="10.1.0.9")
    answer = service.client.get("/v1/models", headers=TOLD, environ_base=PROXY)
    assert answer.status_code == 400
    service = make_service(trusted_proxies="10.1.0.9", trusted_hosts="people.example.org")
    assert service.client.get("/v1/models", headers=TOLD, environ_base=PROXY).status_code == 200


def test_a_link_to_share_and_the_cookie_follow_what_a_trusted_proxy_says(make_service):
    service = make_service(trusted_proxies="10.1.0.9", trusted_hosts="people.example.org")
    service.keys.add("ll_good")
    how = {"headers": {**TOLD, "Authorization": "Bearer ll_good", "Accept": "application/json"}}
    job = explain(service, environ_base=PROXY, **how)
    assert job.headers["Location"].startswith("/explain/v1/explanations/")
    link = service.client.post(
        f"/explanations/{job.json['id']}/share", environ_base=PROXY, **how
    ).json["link"]
    assert link.startswith(f"{PUBLIC}/explanations/{job.json['id']}?share=")
    signed = service.client.post(
        "/session", json={"key": "ll_good"}, headers=TOLD, environ_base=PROXY
    )
    assert {"Path=/explain", "Secure"} <= set(signed.headers["Set-Cookie"].split("; "))
    signed = service.client.post(
        "/session", json={"key": "ll_good"}, headers={"Host": "people.example.org"}
    )
    assert not {"Path=/explain", "Secure"} & set(signed.headers["Set-Cookie"].split("; "))


@pytest.mark.parametrize("header", ["Basic Ym9iOng=", "Bearer eyJhbGciOi.J9.x"])
def test_a_session_counts_beside_the_credentials_of_a_proxy(service, header):
    service.keys.add("ll_good", tenant="acme")
    token = service.client.post("/session", json={"key": "ll_good"}).json["csrf_token"]
    theirs = {"Authorization": header}
    assert service.client.get("/session", headers=theirs).json["tenant"] == "acme"
    # They are no key, so what guards sessions is not done without.
    assert explain(service, headers=theirs).status_code == 403
    assert explain(service, headers={**theirs, "X-CSRF-Token": token}).status_code == 202
