from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

import pytest

from tests.unit.fakes import FakeModel, resolved_model
from worker.jobs.catalogue import ModelEntry
from worker.jobs.errors import StoreUnavailable
from worker.serving.errors import PredictorUnavailable
from worker.serving.resolved import ResolvedModel
from worker.steward import Census, Served, keep_house, repeat


class Away:
    def resolve(self, version: int | None, *, timeout_s: float) -> ResolvedModel:
        raise PredictorUnavailable("The model server is away.", context="10.0.0.7:8500")

    def check(self, *, timeout_s: float) -> list[str]:
        raise AssertionError("a model that is away cannot be checked")

    def doubts(self, *, timeout_s: float) -> list[str]:
        raise AssertionError("a model that is away cannot be looked at")


class FakeCatalogue:
    def __init__(self) -> None:
        self.published: list[dict[str, ModelEntry]] = []

    def publish(self, entries: Iterable[ModelEntry], *, worker: str) -> None:
        assert worker == "host/1"
        self.published.append({entry.name: entry for entry in entries})

    @property
    def latest(self) -> dict[str, ModelEntry]:
        return self.published[-1]


@pytest.fixture
def catalogue() -> FakeCatalogue:
    return FakeCatalogue()


def census(models: Mapping[str, Served], catalogue: FakeCatalogue) -> Census:
    return Census(models, catalogue=catalogue, worker="host/1")


def test_a_model_that_answers_is_published_with_what_clients_need(
    catalogue: FakeCatalogue,
) -> None:
    census({"quadrants": FakeModel(versions=[7])}, catalogue).take()

    entry = catalogue.latest["quadrants"]
    resolved = resolved_model(version=7, labels=FakeModel().labels)
    assert (entry.state, entry.version, entry.class_count) == ("available", 7, 4)
    assert (entry.input_size, entry.labels) == (resolved.input_size, resolved.labels)
    assert entry.problem is None


def test_a_model_that_does_not_answer_is_published_with_its_problem_and_harms_no_other(
    catalogue: FakeCatalogue,
) -> None:
    census({"gone": Away(), "quadrants": FakeModel()}, catalogue).take()

    assert catalogue.latest["quadrants"].state == "available"
    gone = catalogue.latest["gone"]
    assert (gone.state, gone.problem) == ("unavailable", "The model server is away.")


def test_a_model_whose_answers_cannot_be_used_is_published_with_the_cure(
    catalogue: FakeCatalogue,
) -> None:
    model = FakeModel(problems=["Its output is no score: set activation."])
    looking = census({"quadrants": model}, catalogue)
    looking.take()
    assert catalogue.latest["quadrants"].problem == "Its output is no score: set activation."

    model.problems = []
    looking.take()
    assert catalogue.latest["quadrants"].state == "available"


def test_what_makes_one_doubt_a_model_is_told_and_keeps_nobody_from_it(
    catalogue: FakeCatalogue,
) -> None:
    looking = census({"quadrants": FakeModel(doubted=["Its scores add up to 3."])}, catalogue)
    looking.take()
    looking.take()
    assert catalogue.latest["quadrants"].state == "available"
    assert catalogue.latest["quadrants"].warnings == ("Its scores add up to 3.",)


def test_each_version_is_checked_once(catalogue: FakeCatalogue) -> None:
    model = FakeModel(versions=[1, 1, 2, 2])
    looking = census({"quadrants": model}, catalogue)
    for _ in range(4):
        looking.take()
    assert model.checks == 2
    assert catalogue.latest["quadrants"].version == 2


def test_a_server_that_hangs_does_not_keep_the_others_out_of_the_catalogue() -> None:
    answered = threading.Event()

    class Hangs(Away):
        def resolve(self, version: int | None, *, timeout_s: float) -> ResolvedModel:
            assert answered.wait(5), "the other model was not published meanwhile"
            raise PredictorUnavailable("too late")

    class Catalogue(FakeCatalogue):
        def publish(self, entries: Iterable[ModelEntry], *, worker: str) -> None:
            super().publish(entries, worker=worker)
            answered.set()

    catalogue = Catalogue()
    census({"hangs": Hangs(), "quadrants": FakeModel()}, catalogue).take()
    assert [set(one) for one in catalogue.published] == [{"quadrants"}, {"quadrants", "hangs"}]


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


def test_a_census_that_hangs_does_not_hold_up_the_sweep() -> None:
    stop, released = threading.Event(), threading.Event()
    swept: list[str] = []

    def sweep() -> None:
        swept.append("round")
        if len(swept) == 5:
            assert not released.is_set()
            stop.set()
            released.set()

    keep_house(
        census=lambda: released.wait(5),
        sweep=sweep,
        census_every_s=0.001,
        sweep_every_s=0.001,
        stop=stop,
    )
    assert len(swept) == 5
