"""docs/models.md says of every key of a profile what it means, and of no other."""

from __future__ import annotations

import re
from pathlib import Path

from worker.serving.preparation import INTERPOLATIONS
from worker.serving.profile import ModelProfile

PAGE = Path(__file__).parents[3] / "docs" / "models.md"


def rows() -> dict[str, str]:
    """The table of keys: by key, its whole row."""
    table = PAGE.read_text("utf-8").partition("| key | default | meaning |")[2].partition("\n\n")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return {key: line for line in lines for key in re.findall(r"`(\w+)`", line.split("|")[1])}


def test_the_table_has_each_key_once() -> None:
    assert set(rows()) == set(ModelProfile.model_fields) - {"name"}


def test_every_interpolation_is_named() -> None:
    row = rows()["interpolation"]
    for name in set().union(*INTERPOLATIONS.values()):
        assert f"`{name}`" in row
