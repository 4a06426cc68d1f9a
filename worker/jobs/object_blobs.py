"""Blobs in a folder or in an S3-compatible bucket, through obstore.

A file is written under a temporary name and then renamed; an object appears whole. Open it after
a fork: the library runs threads of its own from the first call on.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import obstore
import redis
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, S3Store, from_url

from worker.jobs.blobs import Blobs
from worker.jobs.errors import StoreFull, StoreUnavailable
from worker.jobs.job import JobRef

TIMEOUT = timedelta(seconds=20)
CONNECT_TIMEOUT = timedelta(seconds=5)


def _open(url: str) -> ObjectStore:
    if url.startswith("file:///"):
        # Folders are made as needed, and go with their last file.
        return from_url(url, mkdir=True, automatic_cleanup=True)
    if url.startswith("s3://"):
        return S3Store.from_url(
            url,
            client_options={
                "timeout": TIMEOUT,
                "connect_timeout": CONNECT_TIMEOUT,
                # An operator who names an http:// endpoint means it; the default is https.
                "allow_http": True,
            },
            retry_config={"max_retries": 3, "retry_timeout": TIMEOUT},
        )
    raise ValueError("blobs are kept in redis:, file:///folder or s3://bucket/prefix")


@contextmanager
def _blob_errors() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        if f"os error {errno.ENOSPC}" in str(error):
            raise StoreFull("no space is left where blobs are kept") from error
        raise StoreUnavailable(f"blobs cannot be reached: {type(error).__name__}") from error


class ObjectBlobs(Blobs):
    """Blobs as files or objects named by their key."""

    def __init__(self, client: redis.Redis, *, prefix: str, url: str) -> None:
        super().__init__(client, prefix=prefix)
        self._store = _open(url)

    def _write(self, ref: JobRef, name: str, data: bytes) -> None:
        # Noted before it is stored: bytes that no record answers for are found and erased.
        self._scripts.run("own_blobs", [self._keys.owners(ref), self._keys.unowned], [str(ref)])
        with _blob_errors():
            obstore.put(self._store, f"{ref}/{name}", data)

    def _read(self, ref: JobRef, name: str) -> bytes | None:
        with _blob_errors():
            try:
                return bytes(obstore.get(self._store, f"{ref}/{name}").bytes())
            except FileNotFoundError:
                return None

    def _remove(self, ref: JobRef) -> None:
        with _blob_errors():
            for batch in obstore.list(self._store, prefix=str(ref)):
                obstore.delete(self._store, [entry["path"] for entry in batch])
