"""What operators read of metrics is what processes export."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support import exported

OPERATIONS = Path(__file__).resolve().parents[3] / "docs" / "operations.md"
PARTS = ("_bucket", "_count", "_sum")


def documented() -> dict[str, str]:
    """Names in the first column of the table, with what its last says of their labels."""
    found = {}
    for line in OPERATIONS.read_text().splitlines():
        if not line.startswith("| `limelight_"):
            continue
        first, *_, last = line.strip("|").split("|")
        found |= dict.fromkeys(re.findall(r"`(limelight_\w+)`", first), last)
    return found


def served() -> dict[str, frozenset[str]]:
    """Names of families, as operators know them, with their labels."""
    names = {}
    for sample, labels in exported.metrics().items():
        part = next((part for part in PARTS if sample.endswith(part)), "")
        names[sample.removesuffix(part)] = labels - {"le"}
    return names


def test_every_metric_is_documented_and_no_other() -> None:
    assert set(documented()) == set(served())


def test_every_label_is_documented() -> None:
    said = documented()
    for name, labels in served().items():
        assert [label for label in labels if f"`{label}`" not in said[name]] == [], name
