"""What a run over many images has done, kept in its folder so that it can be taken up again.

The state is a journal: a JSON object a line, of which the last about an image counts. A line is
appended before and after each step, so that a run may be stopped at any moment, by any signal.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import IO, Self

import click

FILE_NAME = ".limelight-state.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Where one image stands.

    Attributes
    ----------
    image : str
        Its absolute path.
    fingerprint : str
        Of its bytes and of what is asked about it, and where.
    key : str
        Idempotency key of its submission.
    folder : str
        Name of its folder in the output.
    job : str or None
        Id of the accepted job.
    status : str
        The job's, as last seen; ``new`` before there is one.
    """

    image: str
    fingerprint: str
    key: str
    folder: str
    job: str | None = None
    status: str = "new"


def fingerprint(data: bytes, *, url: str, form: Mapping[str, str]) -> str:
    """Fingerprint (sha256) of a submission: the same for the same question to the same service."""
    question = json.dumps([url, sorted(form.items())]).encode()
    return hashlib.sha256(hashlib.sha256(data).digest() + question).hexdigest()


class RunState:
    """The journal of one output folder, which one run at a time may hold.

    Parameters
    ----------
    out : Path
        Made if need be.

    Raises
    ------
    click.ClickException
        If another run holds it.
    OSError
        If it cannot be read or written.
    """

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        path = out / FILE_NAME
        self._file: IO[bytes] = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise click.ClickException(f"Another run is writing to {out}.") from error
        self._entries = self._read()

    def __enter__(self) -> Self:
        """Hold the folder."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        self._file.close()

    def begin(self, image: Path, mark: str, *, again: bool = False) -> Entry:
        """Find where an image stands, or make an entry for it.

        A job that ended without a result, another image at the same path, or another question
        begin anew, with a new idempotency key.
        """
        name = str(image.absolute())
        known = self._entries.get(name)
        ended = ("failed", "canceled", "expired")
        goes_on = known is not None and known.fingerprint == mark and known.status not in ended
        if known is not None and goes_on and not again:
            return known
        folder = known.folder if known is not None else self._free_folder(image)
        return self.keep(
            Entry(image=name, fingerprint=mark, key=secrets.token_urlsafe(24), folder=folder)
        )

    def renew(self, entry: Entry) -> Entry:
        """Begin anew with an image whose job no longer exists."""
        return self.keep(replace(entry, key=secrets.token_urlsafe(24), job=None, status="new"))

    def keep(self, entry: Entry) -> Entry:
        """Write down where an image stands."""
        self._entries[entry.image] = entry
        self._file.write(json.dumps(asdict(entry)).encode() + b"\n")
        self._file.flush()
        return entry

    def _free_folder(self, image: Path) -> str:
        taken = {entry.folder.casefold() for entry in self._entries.values()}
        name, number = image.stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{image.stem}-{number}"
        return name

    def _read(self) -> dict[str, Entry]:
        self._file.seek(0)
        lines = self._file.read().split(b"\n")
        if lines[-1]:
            # The last line was cut short; the next one begins on a line of its own.
            self._file.write(b"\n")
        found = (_entry(line) for line in lines)
        return {entry.image: entry for entry in found if entry is not None}


def _entry(line: bytes) -> Entry | None:
    """Read a line; None for one that was cut short or comes from elsewhere."""
    try:
        document = json.loads(line)
        return Entry(**{item.name: document[item.name] for item in fields(Entry)})
    except (ValueError, KeyError, TypeError):
        return None
