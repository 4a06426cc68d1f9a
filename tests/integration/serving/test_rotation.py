"""Secrets and certificates that change while a worker runs."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import numpy as np
import pytest
from structlog.testing import capture_logs

from tests.integration.serving.conftest import MakeModel
from tests.integration.serving.server import HEIGHT, LOOPBACK, WIDTH, Serving, running
from tests.support.authority import Authority
from tests.support.fault_proxy import fault_proxy
from worker.serving.errors import PredictorRejected, PredictorUnavailable
from worker.serving.model import ServedModel
from worker.serving.predictor import Predictor
from worker.serving.profile import Tls

pytestmark = pytest.mark.integration

IMAGES = np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)
SERVER_NAME = "models.example"


def predictor_of(model: ServedModel) -> Predictor:
    return model.predictor(model.resolve(None, timeout_s=5), deadline_s=10)


def replace_file(path: Path, content: bytes | str) -> None:
    """Put a new file in the place of another, as tools that rotate secrets do."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content.encode() if isinstance(content, str) else content)
    new.rename(path)


class Doorman:
    """Lets calls pass that show the token it expects."""

    def __init__(self, serving: Serving, token: str) -> None:
        self.token = token
        self.refused = 0
        self.seen = serving.sent_metadata
        serving.on_predict = self.look

    def look(self, _: object, context: grpc.ServicerContext) -> None:
        if dict(context.invocation_metadata()).get("authorization") != self.token:
            self.refused += 1
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "bad token")


@pytest.fixture
def doorman(serving: Serving) -> Doorman:
    return Doorman(serving, "Bearer one")


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("Bearer one\n")
    return path


@pytest.fixture
def with_token(make_model: MakeModel, port: int, token: Path) -> Predictor:
    return predictor_of(make_model(port, metadata={"authorization": token}))


def test_the_call_after_a_rotation_shows_the_new_token(
    with_token: Predictor, doorman: Doorman, token: Path
) -> None:
    list(with_token([IMAGES]))
    replace_file(token, "Bearer two")
    doorman.token = "Bearer two"
    list(with_token([IMAGES]))
    assert doorman.refused == 0


def test_a_token_is_new_though_its_file_looks_the_same_from_outside(
    with_token: Predictor, doorman: Doorman, token: Path
) -> None:
    list(with_token([IMAGES]))
    before = token.stat()
    token.write_text("Bearer two\n")
    os.utime(token, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (token.stat().st_size, token.stat().st_ino) == (before.st_size, before.st_ino)
    doorman.token = "Bearer two"
    list(with_token([IMAGES]))
    assert doorman.refused == 0


def test_a_link_that_is_turned_to_another_folder_is_followed(
    make_model: MakeModel, port: int, doorman: Doorman, tmp_path: Path
) -> None:
    """Kubernetes mounts a secret as links by way of ``..data``, and turns that one."""
    for name, content in (("..1", "Bearer one"), ("..2", "Bearer two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(content)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "secret").symlink_to("..data/token")
    predictor = predictor_of(make_model(port, metadata={"authorization": tmp_path / "secret"}))
    list(predictor([IMAGES]))
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    doorman.token = "Bearer two"
    list(predictor([IMAGES]))
    assert doorman.refused == 0


def test_a_server_that_has_the_new_token_before_the_file_costs_no_job(
    with_token: Predictor, doorman: Doorman, token: Path
) -> None:
    list(with_token([IMAGES]))
    doorman.token = "Bearer two"
    late = threading.Timer(0.05, replace_file, (token, "Bearer two"))
    late.start()
    list(with_token([IMAGES]))
    late.join()
    assert doorman.refused > 0


def test_while_the_token_in_the_file_is_refused_jobs_wait(
    with_token: Predictor, doorman: Doorman
) -> None:
    doorman.token = "Bearer two"
    with pytest.raises(PredictorUnavailable, match="without a restart") as caught:
        list(with_token([IMAGES]))
    assert caught.value.retryable
    assert caught.value.grpc_status == "UNAUTHENTICATED"


def test_a_token_that_stands_in_the_profile_and_is_refused_fails_the_job_at_once(
    make_model: MakeModel, port: int, doorman: Doorman
) -> None:
    predictor = predictor_of(make_model(port, metadata={"authorization": "Bearer none"}))
    with pytest.raises(PredictorRejected, match="wants credentials"):
        list(predictor([IMAGES]))
    assert doorman.refused == 1


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"Bearer\none"])
def test_a_token_that_is_gone_or_half_written_for_a_moment_is_the_one_from_before(
    with_token: Predictor, doorman: Doorman, token: Path, content: bytes | None
) -> None:
    list(with_token([IMAGES]))
    if content is None:
        token.unlink()
    else:
        token.write_bytes(content)
    with capture_logs() as logs:
        list(with_token([IMAGES, IMAGES, IMAGES]))
    (told,) = [log for log in logs if log["log_level"] == "warning"]
    assert (told["model"], told["key"]) == ("colours", "authorization")
    assert "Bearer" not in str(told)
    token.write_text("Bearer two")
    doorman.token = "Bearer two"
    list(with_token([IMAGES]))
    assert doorman.refused == 0


def test_a_job_waits_for_a_token_that_was_never_there(
    make_model: MakeModel, port: int, tmp_path: Path
) -> None:
    model = make_model(port, metadata={"authorization": tmp_path / "none"})
    with pytest.raises(PredictorUnavailable, match="metadata file of model 'colours'") as caught:
        model.resolve(None, timeout_s=1)
    assert str(tmp_path) not in caught.value.detail
    assert str(tmp_path) in caught.value.context
    (tmp_path / "none").write_text("Bearer one")
    assert model.resolve(None, timeout_s=5).version == 3


def credentials_of(authority: Authority, *, ask_for: Authority | None) -> grpc.ServerCredentials:
    certificate, key = authority.issue(SERVER_NAME)
    return grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())],
        root_certificates=None if ask_for is None else ask_for.ca.read_bytes(),
        require_client_auth=ask_for is not None,
    )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


class Guests:
    """Remembers which certificates callers showed."""

    def __init__(self, serving: Serving) -> None:
        self.names: list[str] = []
        serving.on_predict = self.look

    def look(self, _: object, context: grpc.ServicerContext) -> None:
        self.names += [name.decode() for name in context.peer_identities() or ()]


@pytest.fixture
def guests(serving: Serving) -> Guests:
    return Guests(serving)


@pytest.fixture
def mutual_tls_port(authority: Authority, serving: Serving) -> Iterator[int]:
    with running(serving, credentials=credentials_of(authority, ask_for=authority)) as port:
        yield port


@pytest.fixture
def shown(authority: Authority) -> Tls:
    cert, key = authority.issue("first.example")
    return Tls(ca=authority.ca, cert=cert, key=key, server_name=SERVER_NAME)


def rotate(tls: Tls, authority: Authority, name: str) -> None:
    cert, key = authority.issue(name)
    assert tls.cert is not None
    assert tls.key is not None
    replace_file(tls.cert, cert.read_bytes())
    replace_file(tls.key, key.read_bytes())


def call_until(predictor: Predictor, serving: Serving, guests: Guests, name: str) -> None:
    def shows_it() -> bool:
        list(predictor([IMAGES]))
        return guests.names[-1] == name

    serving.wait_until(shows_it)


def test_a_new_certificate_is_shown_while_the_calls_of_the_old_one_end(
    make_model: MakeModel,
    mutual_tls_port: int,
    authority: Authority,
    shown: Tls,
    serving: Serving,
    guests: Guests,
) -> None:
    model = make_model(mutual_tls_port, tls=shown)
    predictor, other = predictor_of(model), predictor_of(model)
    list(predictor([IMAGES]))
    assert guests.names == ["first.example"]
    serving.on_predict = lambda *_: serving.hang()
    slow: list[np.ndarray] = []
    waiting = threading.Thread(target=lambda: slow.extend(other([IMAGES])))
    waiting.start()
    serving.wait_until(lambda: serving.busy == 1)
    serving.on_predict = guests.look
    rotate(shown, authority, "second.example")
    call_until(predictor, serving, guests, "second.example")
    assert slow == []
    serving.released.set()
    waiting.join(timeout=10)
    assert len(slow) == 1


def test_the_connection_of_an_old_certificate_is_closed(
    make_model: MakeModel,
    mutual_tls_port: int,
    authority: Authority,
    shown: Tls,
    serving: Serving,
    guests: Guests,
) -> None:
    with fault_proxy(mutual_tls_port) as wire:
        predictor = predictor_of(make_model(wire.port, tls=shown))
        list(predictor([IMAGES]))
        for name in ("second.example", "third.example"):
            rotate(shown, authority, name)
            call_until(predictor, serving, guests, name)
        list(predictor([IMAGES]))
        serving.wait_until(lambda: wire.open == 1)


@pytest.mark.parametrize("half", ["key", "cert", "ca"])
def test_tls_files_that_do_not_fit_together_for_a_moment_change_nothing(
    make_model: MakeModel,
    mutual_tls_port: int,
    authority: Authority,
    shown: Tls,
    serving: Serving,
    guests: Guests,
    half: str,
) -> None:
    """A certificate whose key is not there yet, a key that is cut off, an empty authority."""
    predictor = predictor_of(make_model(mutual_tls_port, tls=shown))
    list(predictor([IMAGES]))
    path: Path = getattr(shown, half)
    whole = path.read_bytes()
    path.write_bytes(
        {
            "key": whole[: len(whole) // 2],
            "cert": authority.issue("second.example")[0].read_bytes(),
            "ca": b"",
        }[half]
    )
    with capture_logs() as logs:
        list(predictor([IMAGES, IMAGES, IMAGES]))
    assert [log["key"] for log in logs if log["log_level"] == "warning"] == ["tls"]
    path.write_bytes(whole)
    rotate(shown, authority, "third.example")
    call_until(predictor, serving, guests, "third.example")
    assert set(guests.names) == {"first.example", "third.example"}


def test_a_server_that_comes_back_under_a_new_authority_is_trusted_once_its_file_is_there(
    make_model: MakeModel, authority: Authority, serving: Serving, tmp_path: Path
) -> None:
    new = Authority(tmp_path, "new")
    with ExitStack() as stack:
        port = stack.enter_context(
            running(serving, credentials=credentials_of(authority, ask_for=None))
        )
        tls = Tls(ca=authority.ca, server_name=SERVER_NAME)
        model = make_model(port, tls=tls)
        predictor = predictor_of(model)
        list(predictor([IMAGES]))
        stack.close()
        again = Serving()
        stack.enter_context(
            running(again, port=port, credentials=credentials_of(new, ask_for=None))
        )
        with pytest.raises(PredictorUnavailable):
            model.resolve(None, timeout_s=0.5)
        replace_file(authority.ca, new.ca.read_bytes())
        assert model.resolve(None, timeout_s=5).version == 3
        list(predictor([IMAGES]))
        assert len(again.seen) == 1


def test_what_checks_a_profile_sees_the_same_files_as_the_jobs(
    make_model: MakeModel, port: int, doorman: Doorman, token: Path
) -> None:
    model = make_model(port, metadata={"authorization": token})
    assert model.check(timeout_s=5) == []
    doorman.token = "Bearer two"
    (problem,) = model.check(timeout_s=1)
    assert "does not accept the credentials that the files" in problem
    replace_file(token, "Bearer two")
    assert model.check(timeout_s=5) == []
    assert LOOPBACK not in problem
