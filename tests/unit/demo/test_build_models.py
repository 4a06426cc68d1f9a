from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo.build_models import imagenet_class_names, save_model


class Exporter:
    """Writes a file instead of a network, and counts."""

    def __init__(self, content: str = "graph") -> None:
        self.content = content
        self.calls = 0

    def __call__(self, target: Path) -> None:
        self.calls += 1
        target.mkdir()
        (target / "saved_model.pb").write_text(self.content)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "name" / "1"


def test_class_names_are_in_the_order_of_the_outputs():
    names = imagenet_class_names()
    assert len(names) == 1000
    assert (names[0], names[285], names[967]) == ("tench", "Egyptian cat", "espresso")


def test_no_class_name_is_empty_or_holds_a_line_break():
    assert all(
        name and name == name.strip() and "\n" not in name for name in imagenet_class_names()
    )


def test_a_model_that_is_current_is_not_built_again(target):
    exporter = Exporter()
    assert save_model(target, exporter, made_from="weights 1") > 0
    assert save_model(target, exporter, made_from="weights 1") == 0.0
    assert exporter.calls == 1


def test_a_model_made_from_other_things_is_replaced_as_a_whole(target):
    save_model(target, Exporter("old"), made_from="weights 1")
    (target / "left-over").touch()
    save_model(target, Exporter("new"), made_from="weights 2")
    assert (target / "saved_model.pb").read_text() == "new"
    assert not (target / "left-over").exists()


def test_a_failed_build_leaves_what_was_there(target):
    def fail(folder: Path) -> None:
        Exporter("half")(folder)
        raise RuntimeError("no memory")

    save_model(target, Exporter("old"), made_from="weights 1")
    with pytest.raises(RuntimeError, match="no memory"):
        save_model(target, fail, made_from="weights 2")
    assert (target / "saved_model.pb").read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_of_two_builders_the_quicker_one_is_kept(target):
    def be_overtaken(folder: Path) -> None:
        save_model(target, Exporter("quicker"), made_from="weights 1")
        Exporter("slower")(folder)

    save_model(target, be_overtaken, made_from="weights 1")
    assert (target / "saved_model.pb").read_text() == "quicker"
    assert list(target.parent.iterdir()) == [target]
