"""Model servers that join and leave a DNS name while calls are made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
import pytest

from tests.integration.serving.server import Serving, running
from tests.support.name_server import NameServer, name_server
from worker.serving.channel import RESOLVE_EVERY_S, Connection
from worker.serving.profile import ModelProfile
from worker.serving.stubs.model_service_pb2 import GetModelStatusRequest

pytestmark = pytest.mark.integration

FIRST, SECOND = "127.0.0.1", "127.0.0.2"
# In place of RESOLVE_EVERY_S, so that a test takes no minute.
OFTEN_S = 0.3


class Served(Serving):
    """A server that counts who asked for its status."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def status(self, request: object, context: grpc.ServicerContext) -> object:
        self.asked.append(context.peer())
        if self.hangs:
            self.hang()
        return super().status(request, context)

    hangs = False


class Caller:
    """Asks for the status over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def start(self) -> grpc.Future:
        request = GetModelStatusRequest()
        request.model_spec.name = "m"
        return self._connection.send(lambda stub: stub.get_model_status, request, timeout_s=10)

    def call(self) -> None:
        self.start().result()

    def call_until(self, condition: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
        until = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < until, "it did not happen in time"
            self.call()
            time.sleep(0.01)

    def call_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self.call_until(lambda: time.monotonic() >= until)


@contextmanager
def calling(address: str) -> Iterator[Caller]:
    profile = ModelProfile(name="m", servable="m", address=address)
    connection = Connection(profile, resolve_every_s=OFTEN_S)
    try:
        yield Caller(connection)
    finally:
        connection.close()


@pytest.fixture
def names() -> Iterator[NameServer]:
    with name_server(FIRST) as server:
        yield server


@pytest.fixture
def servers() -> Iterator[tuple[int, Served, Served]]:
    first, second = Served(), Served()
    with running(first, host=FIRST) as port, running(second, host=SECOND, port=port):
        yield port, first, second


def address_of(names: NameServer, port: int) -> str:
    return f"dns://127.0.0.1:{names.port}/models.example:{port}"


def test_half_a_minute_is_enough_for_a_server_to_be_found() -> None:
    assert RESOLVE_EVERY_S <= 25


def test_a_server_that_joins_a_name_gets_calls_and_no_call_is_lost(
    names: NameServer, servers: tuple[int, Served, Served]
) -> None:
    port, first, second = servers
    with calling(address_of(names, port)) as caller:
        caller.call_for(1.0)
        assert second.asked == []
        names.addresses = [FIRST, SECOND]
        caller.call_until(lambda: len(second.asked) >= 3)
        before = len(first.asked), len(second.asked)
        caller.call_for(1.0)
        assert len(first.asked) > before[0]
        assert len(second.asked) > before[1]


def test_a_server_that_leaves_a_name_gets_no_more_calls_though_it_still_runs(
    names: NameServer, servers: tuple[int, Served, Served]
) -> None:
    port, first, second = servers
    names.addresses = [FIRST, SECOND]
    with calling(address_of(names, port)) as caller:
        caller.call_until(lambda: bool(first.asked and second.asked))
        names.addresses = [SECOND]
        caller.call_for(3 * OFTEN_S)
        before = len(first.asked)
        caller.call_for(3 * OFTEN_S)
        assert len(first.asked) == before


def test_a_call_that_is_under_way_while_a_name_is_resolved_again_ends_well(
    names: NameServer, servers: tuple[int, Served, Served]
) -> None:
    port, first, second = servers
    with calling(address_of(names, port)) as caller:
        first.hangs = True
        slow = caller.start()
        first.wait_until(lambda: bool(first.asked))
        first.hangs = False
        names.addresses = [SECOND]
        caller.call_until(lambda: bool(second.asked))
        caller.call_for(3 * OFTEN_S)
        assert not slow.done()
        first.released.set()
        assert slow.result(timeout=5).model_version_status


def test_calls_go_on_while_the_name_cannot_be_resolved(
    names: NameServer, servers: tuple[int, Served, Served]
) -> None:
    port, _, second = servers
    with calling(address_of(names, port)) as caller:
        caller.call()
        names.addresses = []
        caller.call_for(4 * OFTEN_S)
        assert names.asked > 2
        names.addresses = [SECOND]
        caller.call_until(lambda: bool(second.asked), timeout_s=20)


def test_connections_that_go_on_being_used_are_not_made_again(
    names: NameServer, servers: tuple[int, Served, Served]
) -> None:
    port, first, _ = servers
    with calling(address_of(names, port)) as caller:
        caller.call_for(5 * OFTEN_S)
    assert names.asked > 4
    assert len(set(first.asked)) == 1
