"""A job's result as files in a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from limelight.calls import job_path
from limelight.errors import BadAnswer
from limelight.models import Job

_STYLE = re.compile(r"[a-z0-9_-]{1,64}\Z")
JOB_FILE = "job.json"
_SUFFIXES = frozenset({".png", ".webp", ".jpg"})


async def save(job: Job, folder: Path, *, fetch: Callable[[str], Awaitable[bytes]]) -> list[Path]:
    """Write pictures, attributions, label map and, last, ``job.json``.

    A folder with ``job.json`` in it is complete.

    Parameters
    ----------
    job : Job
        One that succeeded.
    folder : Path
        Made if need be. Files of the same names are replaced.
    fetch : callable
        Fetches what a link leads to.

    Returns
    -------
    list of Path
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, link in _files(job):
        written.append(folder / name)
        _write(written[-1], await fetch(link))
    written.append(folder / JOB_FILE)
    _write(written[-1], json.dumps(job.raw, indent=1).encode() + b"\n")
    return written


def saved_job(folder: Path) -> Job | None:
    """Read the job of a complete folder; None if it is not complete or was meddled with."""
    try:
        return Job.from_json(json.loads((folder / JOB_FILE).read_bytes()))
    except (FileNotFoundError, ValueError, BadAnswer):
        return None


def _files(job: Job) -> Iterator[tuple[str, str]]:
    """Names and links; a name is made of what the service says only if it is a plain one."""
    for explanation in job.explanations:
        for style, link in explanation.overlays.items():
            suffix = Path(link).suffix
            if not _STYLE.match(style) or suffix not in _SUFFIXES:
                raise BadAnswer(f"The service names a picture {style!r} at {link[:200]!r}.")
            yield f"{int(explanation.class_index)}-{style}{suffix}", link
    yield "attributions.json", f"{job_path(job.id)}/attributions.json"
    yield "segments.png", f"{job_path(job.id)}/segments.png"


def _write(path: Path, data: bytes) -> None:
    """Write whole or not at all, whenever we are stopped."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
