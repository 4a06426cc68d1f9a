from __future__ import annotations

import pytest

from limelight import BadSettings, Unauthorized
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
        {"url": "http://user:pass@limelight.test"},
        {"url": "http://limelight.test:port"},
        {"api_key": "two\nlines"},
        {"api_key": "clé"},
    ],
)
def test_settings_that_cannot_be_are_said_at_once(make, settings):
    with pytest.raises(BadSettings):
        make(**settings)
