"""Versions that come, go, and cannot be loaded."""

from __future__ import annotations

import pytest
from tensorflow_serving.apis import get_model_status_pb2

from deploy.demo.served_models import ServedModels
from deploy.demo.serving_error import ServingError
from tests.integration.demo.calls import spec

pytestmark = pytest.mark.integration

State = get_model_status_pb2.ModelVersionStatus.State


def states(models, name="tiny"):
    return {status.version: State.Name(status.state) for status in models.statuses(spec(name))}


@pytest.fixture
def models(tiny):
    made = ServedModels({"tiny": tiny(1)}, {})
    made.refresh()
    return made


def test_a_new_version_becomes_the_latest(models, tiny):
    tiny(3)
    assert models.find(spec("tiny"))[0] == 1
    models.refresh()
    assert models.find(spec("tiny"))[0] == 3
    assert states(models) == {1: "AVAILABLE", 3: "AVAILABLE"}


def test_a_removed_version_is_not_found_but_remembered(models, tiny):
    base_path = tiny(2)
    models.refresh()
    (base_path / "2").unlink()
    models.refresh()
    assert models.find(spec("tiny"))[0] == 1
    with pytest.raises(ServingError, match=r"NOT_FOUND: .* Specific\(tiny, 2\)"):
        models.find(spec("tiny", version=2))
    assert states(models) == {1: "AVAILABLE", 2: "END"}


def test_a_version_that_comes_back_is_loaded_again(models, tiny):
    base_path = tiny()
    (base_path / "1").unlink()
    models.refresh()
    tiny(1)
    models.refresh()
    assert states(models) == {1: "AVAILABLE"}


def test_a_loaded_version_is_kept_as_it_is(models):
    _, before = models.find(spec("tiny"))
    models.refresh()
    assert models.find(spec("tiny"))[1] is before


def test_what_cannot_be_loaded_is_reported_and_stops_nothing(models, tiny):
    broken = tiny() / "4"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"not a graph")
    models.refresh()
    assert models.find(spec("tiny"))[0] == 1
    assert states(models) == {1: "AVAILABLE", 4: "END"}
    (status,) = models.statuses(spec("tiny", version=4))
    assert status.status.error_code != 0
    assert "saved_model.pb" in status.status.error_message


def test_folders_without_a_number_or_a_model_are_no_versions(models, tiny):
    (tiny() / ".building-x").mkdir()
    (tiny() / "5").mkdir()
    models.refresh()
    assert models.available() == {"tiny": [1]}


def test_a_model_without_a_folder_has_no_versions(tmp_path):
    models = ServedModels({"none": tmp_path / "none"}, {})
    models.refresh()
    assert models.available() == {"none": []}
    with pytest.raises(ServingError, match=r"Latest\(none\)"):
        models.find(spec("none"))
