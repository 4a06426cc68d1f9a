"""Explaining many images: submitting a few at a time, watching them, saving what they give."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from limelight.async_client import AsyncClient
from limelight.cli.saving import save, saved_job
from limelight.cli.state import Entry, RunState, fingerprint
from limelight.errors import ImageRefused, LimelightError, NotFound, WaitedTooLong, failure
from limelight.models import Job

# These concern one image; any other error would meet all of them, and ends the run.
_OF_ONE_IMAGE = (ImageRefused, NotFound, WaitedTooLong)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of an image.

    Attributes
    ----------
    image, folder : Path
    job : Job or None
        As it ended; None if it was not accepted.
    error : LimelightError or None
    was_done : bool
        Whether an earlier run had done it.
    """

    image: Path
    folder: Path
    job: Job | None = None
    error: LimelightError | None = None
    was_done: bool = False


class Watcher(Protocol):
    """Whoever wants to know how it goes."""

    def began(self, image: Path) -> None:
        """Learn that an image's turn has come."""

    def moved(self, image: Path, job: Job) -> None:
        """Learn that its job was accepted, or is further."""

    def ended(self, outcome: Outcome) -> None:
        """Learn that it is done with."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A run over many images.

    Attributes
    ----------
    client : AsyncClient
    state : RunState
    out : Path
    form : mapping of str to str
        What to ask of each image.
    parallel : int
        Images submitted and not ended at any time.
    timeout_s : float or None
        Longest wait for one job.
    again : bool
        Whether to do what was done already.
    """

    client: AsyncClient
    state: RunState
    out: Path
    form: Mapping[str, str]
    parallel: int
    timeout_s: float | None
    again: bool
    watcher: Watcher

    async def run(self, images: Sequence[Path]) -> list[Outcome]:
        """Do all of them; what became of each, in their order.

        Raises
        ------
        LimelightError
            If something is wrong that concerns them all. What was accepted goes on in the
            service, and is taken up by the next run.
        """
        places = asyncio.Semaphore(self.parallel)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._in_turn(image, places)) for image in images]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return [task.result() for task in tasks]

    async def _in_turn(self, image: Path, places: asyncio.Semaphore) -> Outcome:
        async with places:
            self.watcher.began(image)
            outcome = await self._explain(image)
            self.watcher.ended(outcome)
            return outcome

    async def _explain(self, image: Path) -> Outcome:
        data = await asyncio.to_thread(image.read_bytes)
        mark = fingerprint(data, url=self.client.url, form=self.form)
        entry = self.state.begin(image, mark, again=self.again)
        folder = self.out / entry.folder
        if entry.status == "succeeded" and (done := saved_job(folder)) is not None:
            return Outcome(image=image, folder=folder, job=done, was_done=True)
        try:
            job = await self._ended(image, data, entry)
        except _OF_ONE_IMAGE as error:
            return Outcome(image=image, folder=folder, error=error)
        if job.succeeded:
            await save(job, folder, fetch=self.client.fetch)
        # Only now: a run that is stopped while saving saves again.
        self.state.keep(replace(entry, job=job.id, status=job.status))
        why = None if job.succeeded else failure(job)
        return Outcome(image=image, folder=folder, job=job, error=why)

    async def _ended(self, image: Path, data: bytes, entry: Entry) -> Job:
        """Watch the image's job to its end; the job is submitted if there is none yet."""
        job = None if entry.job is None else await self._taken_up(entry)
        if job is None:
            entry = self.state.renew(entry) if entry.job is not None else entry
            job = await self.client.submit(data, form=self.form, idempotency_key=entry.key)
            self.state.keep(replace(entry, job=job.id, status=job.status))
        async for told in self.client.watch(job, timeout_s=self.timeout_s):
            job = told
            self.watcher.moved(image, job)
        return job

    async def _taken_up(self, entry: Entry) -> Job | None:
        """Ask for a job of an earlier run; None if it no longer exists."""
        assert entry.job is not None  # noqa: S101 - The caller has looked.
        try:
            return await self.client.get(entry.job)
        except NotFound:
            return None
