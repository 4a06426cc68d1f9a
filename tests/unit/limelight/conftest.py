"""Each test of a client runs for both of them, over scripted answers and a fake clock."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from limelight import AsyncClient, Client, RetryPolicy
from limelight.client import _each
from limelight.ports import finish
from tests.unit.limelight.service import Answer, FakeTime, ScriptedService

URL = "http://limelight.test"


class Blocking:
    """An ``AsyncClient`` called like a ``Client``: over fakes, nothing in it has to wait."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            result = method(*arguments, **named)
            if isinstance(result, AsyncIterator):
                return _each(result)
            return finish(result) if inspect.iscoroutine(result) else result

        return call


@dataclass
class Bench:
    client: Any
    service: ScriptedService
    time: FakeTime


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bench]:
    for name in ("LIMELIGHT_URL", "LIMELIGHT_HEADERS", "LIMELIGHT_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def make_bench(*answers: Answer, url: str | None = URL, **settings: Any) -> Bench:
        service, time = ScriptedService(*answers), FakeTime()
        retry = settings.pop("retry", RetryPolicy(jitter=lambda: 0.0))
        is_sync = request.param is Client
        client = request.param(
            url,
            transport=httpx.MockTransport(service),
            retry=retry,
            now=time.now,
            sleep=time.sleep if is_sync else time.sleep_async,
            **settings,
        )
        return Bench(client if is_sync else Blocking(client), service, time)

    return make_bench
