"""Metrics of a service that is made of several processes, added up whichever is asked.

Each process keeps its values in a file of its own, which is mapped into its memory, so that they
outlive it: one that is killed leaves what it has counted. The file belongs to the *place* of the
process in its service, not to its process id: whoever takes the place goes on counting there. So
replaced processes neither lose anything nor leave files behind, and a scrape reads as many files as
there are places. There are counters and histograms only; what has a level instead of a sum is in
Redis, and there it is read.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server, values
from prometheus_client.multiprocess import MultiProcessCollector

from worker.telemetry.endpoint import Address, CannotListen

# The library looks here for the folder, in this process and in those that it starts.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def sharing() -> Iterator[None]:
    """Have the processes that are started in this block share a folder, and remove it after.

    It lies where temporary files lie (``TMPDIR``), and starts empty: a service that is started
    again counts from zero, as Prometheus expects.
    """
    folder = tempfile.mkdtemp(prefix="limelight-metrics-")
    os.environ[FOLDER] = folder
    owner = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == owner:
            del os.environ[FOLDER]
            shutil.rmtree(folder, ignore_errors=True)


def is_shared() -> bool:
    """Whether this process is one of several that share a folder."""
    return FOLDER in os.environ


def count_at(place: Callable[[], str]) -> None:
    """Keep the values of metrics that are made from now on at this process's place.

    Parameters
    ----------
    place : callable
        The place now; another one in a process that was forked since. No two processes may have
        the same at a time, and there is no ``_`` in it.
    """
    make = values.MultiProcessValue
    values.ValueClass = make(process_identifier=place)  # type: ignore[no-untyped-call]


def shared_registry() -> CollectorRegistry:
    """Return a registry that adds up what all processes have counted, each time it is read."""
    registry = CollectorRegistry(auto_describe=False)
    MultiProcessCollector(registry, path=os.environ[FOLDER])  # type: ignore[no-untyped-call]
    return registry


def serve(registry: CollectorRegistry, address: Address) -> None:
    """Answer scrapes at an address, in threads of this process.

    Raises
    ------
    CannotListen
    """
    address.check()
    try:
        start_http_server(address.port, address.host, registry)
    except OSError as error:
        raise CannotListen(f"cannot listen on {address.host}:{address.port}: {error}") from error
