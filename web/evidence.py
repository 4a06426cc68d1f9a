"""All that is kept of an explanation as one zip file, made while it is sent."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256

from web.answers import as_json
from web.job_view import job_view, overlays_made
from web.ports import Blobs
from worker.jobs.job import Job, artifact_key, upload_key

_EXTENSIONS = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpg"), (b"RIFF", "webp"))
_EPOCH = datetime(1980, 1, 1, tzinfo=UTC)


class _Outlet(io.RawIOBase):
    """Takes what is written and gives it away. It cannot seek, so each byte is written once."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        taken = bytes(memoryview(data))  # type: ignore[arg-type]  # Whatever zipfile hands over.
        self._parts.append(taken)
        return len(taken)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def evidence_of(job: Job, blobs: Blobs, *, prefix: str) -> Iterator[bytes]:
    """Yield a zip file: the job, its upload, the figures and pictures, and their digests.

    No more than one member is in memory at a time. ``SHA256SUMS`` is for ``sha256sum -c``. The
    same job gives the same bytes.

    Parameters
    ----------
    job : Job
        One that succeeded.
    blobs : Blobs
    prefix : str
        What the links of ``job.json`` begin with.

    Raises
    ------
    worker.jobs.errors.BlobMissing
        If the job was erased meanwhile. A reader then has a file that ends early.
    """
    outlet = _Outlet()
    sums: list[str] = []
    at = max(datetime.fromtimestamp(job.finished_at or 0, UTC), _EPOCH)
    with zipfile.ZipFile(outlet, "w") as archive:
        for name, data in _members(job, blobs, prefix):
            sums.append(f"{sha256(data).hexdigest()}  {name}\n")
            _add(archive, f"{job.ref.id}/{name}", data, at)
            yield outlet.take()
        _add(archive, f"{job.ref.id}/SHA256SUMS", "".join(sums).encode(), at)
    yield outlet.take()


def _members(job: Job, blobs: Blobs, prefix: str) -> Iterator[tuple[str, bytes]]:
    fence = (job.result or {})["fence"]
    upload = blobs.get(upload_key(job.ref))
    yield f"image.{extension_of(upload)}", upload
    yield "job.json", as_json(job_view(job, prefix=prefix))
    names = ["attributions.json", "segments.png"]
    for index, styles in overlays_made(job).items():
        names += [f"overlays/{index}/{style}.{kind}" for style, kind in styles.items()]
    for name in names:
        yield name, blobs.get(artifact_key(job.maker, fence, name))


def _add(archive: zipfile.ZipFile, name: str, data: bytes, at: datetime) -> None:
    member = zipfile.ZipInfo(name, date_time=at.timetuple()[:6])
    member.external_attr = 0o644 << 16
    # Pictures are compressed already.
    packed = name.endswith((".json", "SUMS"))
    member.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    archive.writestr(member, data)


def extension_of(image: bytes) -> str:
    """Return the usual extension of an image file that was accepted."""
    return next((name for magic, name in _EXTENSIONS if image.startswith(magic)), "bin")
