from __future__ import annotations

import httpx
import pytest

from limelight import BadSettings, Unauthorized
from limelight.settings import settings
from tests.unit.limelight.service import refusal, told


def test_the_key_is_sent_and_never_shown(make):
    bench = make(told({"models": []}), refusal(401, "unauthorized"), api_key="ll_secret")
    bench.client.models()
    assert bench.service.asked[0].headers["Authorization"] == "Bearer ll_secret"
    with pytest.raises(Unauthorized) as caught:
        bench.client.models()
    assert "secret" not in str(caught.value)


def test_address_and_key_come_from_the_environment(make, monkeypatch):
    monkeypatch.setenv("LIMELIGHT_URL", "https://limelight.test/inner/")
    monkeypatch.setenv("LIMELIGHT_API_KEY", "ll_other")
    bench = make(told({"models": []}), url=None)

    bench.client.models()

    request = bench.service.asked[0]
    assert str(request.url) == "https://limelight.test/inner/v1/models"
    assert request.headers["Authorization"] == "Bearer ll_other"


def test_without_either_it_asks_the_service_on_this_machine(make):
    bench = make(told({"models": []}), url=None)
    bench.client.models()
    assert str(bench.service.asked[0].url) == "http://127.0.0.1:8000/v1/models"
    assert "Authorization" not in bench.service.asked[0].headers


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_blank_variables_and_arguments_are_not_set(make, monkeypatch, blank):
    monkeypatch.setenv("LIMELIGHT_URL", blank)
    monkeypatch.setenv("LIMELIGHT_API_KEY", blank)
    bench = make(told({"models": []}), url=blank, api_key=blank)
    bench.client.models()
    assert str(bench.service.asked[0].url) == "http://127.0.0.1:8000/v1/models"
    assert "Authorization" not in bench.service.asked[0].headers


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "limelight.test"},
        {"url": "ftp://limelight.test"},
        {"url": "http://"},
        {"url": "http://user@limelight.test"},
        {"url": "http://user:pass@limelight.test", "headers": {"authorization": "Basic eDp5"}},
        {"headers": {"Limelight-Api-Key": "ll_one"}, "api_key": "ll_two"},
        {"headers": {"No name": "x"}},
        {"headers": {"": "x"}},
        {"headers": {"X-Tenant": ""}},
        {"headers": {"X-Tenant": "two\r\nX-Other: lines"}},
        {"headers": {"X-Tenant": "clé"}},
        {"headers": {"Content-Length": "3"}},
        {"url": "http://limelight.test:port"},
        {"api_key": "two\nlines"},
        {"api_key": "clé"},
    ],
)
def test_settings_that_cannot_be_are_said_at_once(make, settings):
    with pytest.raises(BadSettings):
        make(**settings)


BASIC = "Basic dXNlcjpwYTpzcy9AIQ=="  # user:pa:ss/@!
WITH_BASIC = "https://user:pa%3Ass%2F%40!@limelight.test/inner"


def test_credentials_in_the_address_are_for_the_proxy_and_the_key_has_its_own_header(make):
    bench = make(told({"models": []}), url=WITH_BASIC, api_key="ll_secret")
    bench.client.models()
    (request,) = bench.service.asked
    assert str(request.url) == "https://limelight.test/inner/v1/models"
    assert request.headers.get_list("Authorization") == [BASIC]
    assert request.headers["Limelight-Api-Key"] == "ll_secret"


def test_an_empty_password_is_one(make):
    bench = make(told({"models": []}), url="http://user:@limelight.test")
    bench.client.models()
    assert bench.service.asked[0].headers["Authorization"] == "Basic dXNlcjo="


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_another_scheme_of_the_proxy_takes_the_place_of_the_key(make, name):
    headers = {name: "Bearer eyJhbGciOi.J9.x"}
    bench = make(told({"models": []}), api_key="ll_secret", headers=headers)
    bench.client.models()
    (request,) = bench.service.asked
    assert request.headers.get_list("Authorization") == ["Bearer eyJhbGciOi.J9.x"]
    assert request.headers["Limelight-Api-Key"] == "ll_secret"


def test_headers_come_from_the_environment_and_those_given_count_before_them(make, monkeypatch):
    monkeypatch.setenv(
        "LIMELIGHT_HEADERS", "X-Tenant: one\nCF-Access: a:b, c\n\nuser-agent: mine\n"
    )
    bench = make(told({"models": []}), headers=[("x-tenant", "two"), ("X-Also", "3")])
    bench.client.models()
    headers = bench.service.asked[0].headers
    assert headers.get_list("X-Tenant") == ["two"]
    assert (headers["CF-Access"], headers["X-Also"]) == ("a:b, c", "3")
    assert headers.get_list("User-Agent") == ["mine"]


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hidden@limelight.test:port",
        "http://user:hid/den@limelight.test",
        "user:hidden@limelight.test",
        "ftp://user:hidden@limelight.test",
        "http://user:hidden@",
        "http://hidden@limelight.test",
        "http://user:hidden@limelight.test/?a=b",
        "http://user:hid@den@limelight.test:x",
    ],
)
def test_no_message_tells_the_credentials_of_an_address(make, url):
    with pytest.raises(BadSettings) as caught:
        make(url=url)
    causes = []
    error = caught.value
    while error is not None:
        causes.append(str(error))
        error = error.__cause__
    assert "hid" not in " ".join(causes)


@pytest.mark.parametrize("line", ["hidden", "X-Token hidden", "X-Token: hidden\x7f", ": hidden"])
def test_no_message_tells_the_value_of_a_header(make, monkeypatch, line):
    monkeypatch.setenv("LIMELIGHT_HEADERS", line)
    with pytest.raises(BadSettings) as caught:
        make()
    assert "hidden" not in str(caught.value)


def test_nothing_that_is_secret_is_shown(make):
    bench = make(refusal(401, "unauthorized"), url=WITH_BASIC, headers={"X-Token": "hidden"})
    with pytest.raises(Unauthorized) as caught:
        bench.client.models()
    found = settings(WITH_BASIC, "ll_hidden", headers={"X-Token": "hidden"}, environment={})
    for text in (str(caught.value), repr(found), found.url):
        assert "hidden" not in text
        assert "user" not in text
        assert BASIC not in text


def test_a_proxy_that_wants_credentials_is_told_as_that(make):
    page = httpx.Response(
        401, headers={"WWW-Authenticate": 'Basic realm="inner"'}, html="<h1>401</h1>"
    )
    bench = make(page)
    with pytest.raises(Unauthorized, match="LIMELIGHT_URL=https://user:password@host"):
        bench.client.models()
