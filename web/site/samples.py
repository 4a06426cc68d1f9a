"""Photographs that the operator offers to try the service with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from web.errors import NotFound

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_MOST = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A photograph: its name in addresses, what people call it, and where it is."""

    name: str
    title: str
    file: Path


class Samples:
    """The photographs of a folder, found once. Their bytes are read when they are asked for.

    Parameters
    ----------
    folder : Path or None
        None offers nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        files = [] if folder is None else sorted(folder.iterdir())
        found = [file for file in files if file.suffix.lower() in _SUFFIXES and file.is_file()]
        self._by_name: Mapping[str, Sample] = {
            name: Sample(name=name, title=_title(name), file=file)
            for name, file in ((_text(file.stem), file) for file in found[:_MOST])
        }

    def all(self) -> tuple[Sample, ...]:
        """Return them in the order of their names."""
        return tuple(self._by_name.values())

    def named(self, name: str) -> Sample:
        """Return one.

        Raises
        ------
        NotFound
            If there is none of this name.
        """
        if name not in self._by_name:
            known = ", ".join(self._by_name) or "none"
            raise NotFound(f"There is no such photograph. Those that exist: {known}.")
        return self._by_name[name]


def _text(stem: str) -> str:
    """Return a name that comes back from a form as it went, even if its bytes are no UTF-8."""
    return " ".join(stem.encode("utf-8", "backslashreplace").decode().split())


def _title(stem: str) -> str:
    words = stem.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]
