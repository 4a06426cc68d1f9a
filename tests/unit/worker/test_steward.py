from __future__ import annotations

import threading

import pytest

from tests.unit.fakes import FakeModel, resolved_model
from worker.jobs.catalogue import ModelEntry
from worker.jobs.errors import StoreUnavailable
from worker.serving.errors import PredictorUnavailable
from worker.serving.resolved import ResolvedModel
from worker.steward import entries_of, keep_house, repeat


class Away:
    def resolve(self, version: int | None, *, timeout_s: float) -> ResolvedModel:
        raise PredictorUnavailable("The model server is away.", context="10.0.0.7:8500")


def test_a_model_that_answers_is_published_with_what_clients_need() -> None:
    (entry,) = entries_of({"quadrants": FakeModel(versions=[7])})
    resolved = resolved_model(version=7, labels=FakeModel().labels)
    assert (entry.name, entry.state, entry.version) == ("quadrants", "available", 7)
    assert tuple(entry.input_size or ()) == resolved.input_size
    assert entry.class_count == 4
    assert entry.problem is None


def test_a_model_that_does_not_answer_is_published_with_its_problem() -> None:
    entries = entries_of({"quadrants": FakeModel(), "gone": Away()})
    assert [entry.state for entry in entries] == ["available", "unavailable"]
    assert entries[1].problem == "The model server is away."


def test_no_models_make_an_empty_catalogue() -> None:
    assert entries_of({}) == ()


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ValueError("a mistake")])
def test_a_round_that_fails_does_not_end_the_steward(error: Exception) -> None:
    stop = threading.Event()
    rounds: list[int] = []

    def work() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 3:
            stop.set()
        raise error

    repeat(work, every_s=0.001, stop=stop)
    assert len(rounds) == 3


def test_a_model_server_that_hangs_does_not_hold_up_the_sweep() -> None:
    stop, hanging = threading.Event(), threading.Event()
    swept: list[str] = []

    class Hangs:
        def resolve(self, version: int | None, *, timeout_s: float) -> ResolvedModel:
            hanging.wait(5)
            raise PredictorUnavailable("too late")

    class Catalogue:
        def publish(self, entries: object, *, worker: str) -> None:
            published.append(worker)

    published: list[str] = []

    def sweep() -> None:
        swept.append("round")
        if len(swept) == 5:
            assert not published
            stop.set()
            hanging.set()

    keep_house(
        worker="host/1",
        models={"hangs": Hangs()},
        catalogue=Catalogue(),
        sweep=sweep,
        catalogue_interval_s=0.001,
        sweep_interval_s=0.001,
        stop=stop,
    )
    assert len(swept) == 5
    assert published == ["host/1"]


def test_the_entry_is_one_that_the_catalogue_takes() -> None:
    (entry,) = entries_of({"quadrants": FakeModel()})
    assert isinstance(entry, ModelEntry)
