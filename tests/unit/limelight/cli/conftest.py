"""The command, run in this process over scripted answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from limelight import Client
from limelight.cli.main import cli, run
from limelight.cli.session import Wiring
from tests.unit.limelight.service import Answer, FakeTime, ScriptedService


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str
    service: ScriptedService
    time: FakeTime

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def limelight(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ended]:
    """Run the command with arguments; what it asked gets these answers."""
    for name in (
        "LIMELIGHT_URL",
        "LIMELIGHT_HEADERS",
        "LIMELIGHT_API_KEY",
        "LIMELIGHT_WEBHOOK_SECRET",
    ):
        monkeypatch.delenv(name, raising=False)

    def run_command(*arguments: str, answers: tuple[Answer, ...] = (), command=cli) -> Ended:
        service, time = ScriptedService(*answers), FakeTime()

        def client(url: str | None, **settings: Any) -> Client:
            transport = httpx.MockTransport(service)
            return Client(url, transport=transport, now=time.now, sleep=time.sleep, **settings)

        code = run(arguments, command=command, wiring=Wiring(client=client))
        said = capsys.readouterr()
        return Ended(code, said.out, said.err, service, time)

    return run_command
