from __future__ import annotations

from pathlib import Path

import pytest

from worker.serving.labels import read_labels


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("cat\ndog\n", ("cat", "dog")),
        ("cat\r\n Großer Hund \r\n\n\n", ("cat", "Großer Hund")),
        ("\ufeffcat\n\ndog", ("cat", "", "dog")),
        ("", ()),
    ],
)
def test_each_line_names_a_class(tmp_path: Path, content: str, names: tuple[str, ...]) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content.encode())
    assert read_labels(path) == names


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnicodeDecodeError):
        read_labels(path)
