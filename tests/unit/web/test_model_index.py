from __future__ import annotations

import pytest

from tests.unit.web.conftest import model
from tests.unit.web.fakes import FixedCatalogue
from web.errors import UnknownModel
from web.model_index import ModelIndex
from worker.jobs.errors import StoreUnavailable


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def catalogue():
    return FixedCatalogue({"a": model("a")})


def test_a_new_model_is_seen_once_the_remembered_ones_are_out_of_date(catalogue):
    clock = Clock()
    index = ModelIndex(catalogue, ttl_s=1.5, clock=clock)
    assert list(index.all()) == ["a"]
    catalogue.entries["b"] = model("b")
    clock.now += 1.4
    assert list(index.all()) == ["a"]
    clock.now += 0.2
    assert list(index.all()) == ["a", "b"]
    assert catalogue.reads == 2


def test_that_there_is_no_model_is_not_remembered(catalogue):
    known = catalogue.entries.pop("a")
    index = ModelIndex(catalogue, ttl_s=1.5, clock=Clock())
    assert not index.all()
    catalogue.entries["a"] = known
    assert list(index.all()) == ["a"]


def test_a_catalogue_that_cannot_be_read_is_not_remembered_as_empty(catalogue):
    clock = Clock()
    index = ModelIndex(catalogue, ttl_s=1.5, clock=clock)
    catalogue.down = True
    with pytest.raises(StoreUnavailable):
        index.all()
    catalogue.down = False
    assert list(index.all()) == ["a"]


def test_a_default_that_does_not_exist_is_no_model(catalogue):
    index = ModelIndex(catalogue, ttl_s=0)
    with pytest.raises(UnknownModel, match="Those that exist: a"):
        index.for_request(None, default="gone")
