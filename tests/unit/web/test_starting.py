"""Settings, and what makes the server refuse to start."""

from __future__ import annotations

import subprocess
import sys

import pytest

from web.main import CannotStart, check_exposure, main, read_settings
from web.settings import WebSettings
from worker.jobs.errors import StoreUnavailable


def unasked():
    raise AssertionError("it does not matter whether there are keys")


@pytest.mark.parametrize("bind", ["0.0.0.0:8000", "[::]:8000", "192.168.1.5:80", "example.org:80"])
def test_it_refuses_to_listen_beyond_this_machine_without_keys(bind):
    with pytest.raises(CannotStart, match=r"limelight keys create.*LIMELIGHT_ALLOW_ANONYMOUS"):
        check_exposure(WebSettings(bind=bind), any_key=lambda: False)
    check_exposure(WebSettings(bind=bind), any_key=lambda: True)
    check_exposure(WebSettings(bind=bind, allow_anonymous=True), any_key=unasked)


@pytest.mark.parametrize("bind", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "127.9.9.9:1"])
def test_it_listens_on_loopback_without_keys(bind):
    check_exposure(WebSettings(bind=bind), any_key=unasked)


def test_it_starts_while_redis_is_away_because_nobody_gets_in_without_a_key_anyhow():
    def away():
        raise StoreUnavailable("redis://user:hunter2@10.1.2.3")

    check_exposure(WebSettings(bind="0.0.0.0:8000"), any_key=away)


@pytest.mark.parametrize("bind", ["8000", ":8000", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999"])
def test_an_address_that_is_none_is_refused(bind):
    with pytest.raises(ValueError, match="host:port"):
        WebSettings(bind=bind)


@pytest.mark.parametrize("text", ["a.org, b.org", '["a.org", "b.org"]'])
def test_trusted_hosts_are_read_with_commas_or_as_json(monkeypatch, text):
    monkeypatch.setenv("LIMELIGHT_TRUSTED_HOSTS", text)
    assert WebSettings().trusted_hosts == ("a.org", "b.org")


def test_metrics_do_not_share_the_port_of_everything_else(monkeypatch, capsys):
    monkeypatch.setenv("LIMELIGHT_BIND", "0.0.0.0:8000")
    monkeypatch.setenv("LIMELIGHT_WEB_METRICS_BIND", "127.0.0.1:8000")
    assert main() == 1
    assert "must have another port than LIMELIGHT_BIND" in capsys.readouterr().err


@pytest.mark.parametrize("text", [",", " , ", "[]"])
def test_a_list_of_no_trusted_hosts_does_not_mean_all(monkeypatch, text):
    monkeypatch.setenv("LIMELIGHT_TRUSTED_HOSTS", text)
    with pytest.raises(CannotStart, match="LIMELIGHT_TRUSTED_HOSTS"):
        read_settings()


def test_a_setting_that_cannot_be_used_is_named_without_its_value(monkeypatch, capsys):
    monkeypatch.setenv("LIMELIGHT_WEB_THREADS", "hunter2")
    assert main() == 1
    told = capsys.readouterr().err
    assert "LIMELIGHT_WEB_THREADS" in told
    assert "hunter2" not in told
    assert "Traceback" not in told


def test_the_web_process_imports_nothing_that_computes_or_calls_the_model_server():
    heavy = ["numpy", "skimage", "sklearn", "scipy", "grpc", "tensorflow", "cmap"]
    heavy += ["worker.serving", "worker.run_job", "worker.tasks", "worker.app"]
    code = f"import sys, web.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
