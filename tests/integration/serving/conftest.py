from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.serving.server import LOOPBACK, Serving, running
from worker.serving.model import RetryPolicy, ServedModel
from worker.serving.pace import Pace
from worker.serving.profile import ModelProfile

# Long enough to see a second try, short enough not to wait for a third minute.
QUICK = RetryPolicy(window_s=2.0, reload_s=0.3, wait_s=0.01, jitter_s=0.01, wait_max_s=0.05)

MakeModel = Callable[..., ServedModel]


class Steady(Pace):
    """A pace that stays at the profile's bounds, so that a test can count calls."""

    def __init__(self, profile: ModelProfile) -> None:
        super().__init__(
            most_images=profile.max_batch_size, most_in_flight=profile.max_in_flight, target_s=60.0
        )
        self.images, self.in_flight = profile.max_batch_size, profile.max_in_flight

    def observe(self, *, rows: int, seconds: float, status: str) -> None:
        """Learn nothing."""


@pytest.fixture
def serving() -> Serving:
    return Serving()


@pytest.fixture
def port(serving: Serving) -> Iterator[int]:
    with running(serving) as port:
        yield port


@pytest.fixture
def make_model() -> Iterator[MakeModel]:
    """Make models of a server on a port; they are closed at the end."""
    made: list[ServedModel] = []

    def make(port: int, *, observe: Any = None, **profile: Any) -> ServedModel:
        settings = {
            "name": "colours",
            "servable": "colours-servable",
            "address": f"dns:///{LOOPBACK}:{port}",
            "output": "scores",
            "deadline_s": 10.0,
            **profile,
        }
        watching = {} if observe is None else {"observe": observe}
        valid = ModelProfile.model_validate(settings)
        model = ServedModel(valid, retry=QUICK, pace=Steady(valid), **watching)
        made.append(model)
        return model

    yield make
    for model in made:
        model.close()


@pytest.fixture
def model(make_model: MakeModel, port: int) -> ServedModel:
    return make_model(port)
