"""Commands about jobs that exist: ``status``, ``fetch``, ``list``, ``cancel``, ``delete``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import click

from limelight.cli import exits
from limelight.cli.output import class_name, duration, figure, problem_of, progress
from limelight.cli.saving import save
from limelight.cli.session import Session, connected
from limelight.core import succeeded
from limelight.errors import Refused
from limelight.models import Job
from limelight.ports import finish

_HEADS = ("id", "status", "model", "created", "progress", ">took")
_STATUSES = ("queued", "processing", "succeeded", "failed", "canceled", "expired")
_ids = click.argument("ids", nargs=-1, required=True, metavar="ID...")


@click.command()
@_ids
@click.option("--wait", is_flag=True, help="Until all of them have ended.")
@connected()
def status(*, session: Session, ids: tuple[str, ...], wait: bool) -> int:
    """Show jobs. The exit code is 1 if one of them ended without a result."""
    with session.client() as client:
        jobs = []
        for job_id in ids:
            job = client.get(job_id)
            if wait:
                *_, job = client.watch(job)
            jobs.append(job)
    _show(session, jobs)
    failed = any(job.is_terminal and not job.succeeded for job in jobs)
    return exits.JOB_FAILED if failed else exits.OK


@click.command()
@_ids
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default="here",
    help="Where to make a folder for each job.",
)
@click.option("--wait", is_flag=True, help="Until they have ended, rather than fail.")
@connected()
def fetch(*, session: Session, ids: tuple[str, ...], out: Path, wait: bool) -> None:
    """Write pictures, attributions, label map and job of each job into OUT/ID."""
    with session.client() as client:

        async def get(link: str) -> bytes:
            return client.fetch(link)

        for job_id in ids:
            job = client.wait(job_id) if wait else succeeded(client.get(job_id))
            if not job.is_terminal:
                raise click.ClickException(f"The job {job_id} is {job.status}; see --wait.")
            files = [str(path) for path in finish(save(job, out / job.id, fetch=get))]
            if session.output.is_json:
                session.output.document({"id": job.id, "files": files})
            else:
                click.echo("\n".join(files))


@click.command("list")
@click.option("--status", "wanted", type=click.Choice(_STATUSES), help="Only those.")
@click.option("--model", help="Only those of this model.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="At most so many.",
)
@connected()
def list_jobs(*, session: Session, wanted: str | None, model: str | None, limit: int) -> None:
    """List jobs, newest first."""
    with session.client() as client:
        page_size = min(limit, 100)
        found = client.jobs(status=wanted, model=model, page_size=page_size)
        _show(session, islice(found, limit))


@click.command()
@_ids
@connected()
def cancel(*, session: Session, ids: tuple[str, ...]) -> int:
    """Stop jobs at their next batch."""
    with session.client() as client:
        return _for_each(session, ids, lambda job_id: client.cancel(job_id).raw)


@click.command()
@_ids
@click.option("--yes", is_flag=True, help="Do not ask.")
@connected()
def delete(*, session: Session, ids: tuple[str, ...], yes: bool) -> int:
    """Erase jobs, their images and their pictures, for good."""
    if not yes:
        click.confirm(f"Erase {len(ids)} job(s) for good?", abort=True, err=True)

    def erase(job_id: str) -> dict[str, Any]:
        client.delete(job_id)
        return {"id": job_id, "status": "deleted"}

    with session.client() as client:
        return _for_each(session, ids, erase)


def _for_each(session: Session, ids: Iterable[str], act: Callable[[str], Any]) -> int:
    """Act on every job; what is refused for one is said, and does not stop the others."""
    code = exits.OK
    for job_id in ids:
        try:
            document = act(job_id)
        except Refused as error:
            code = exits.code_of(error)
            session.output.error(f"{job_id}: {error}", problem=problem_of(error), code=code)
            continue
        if session.output.is_json:
            session.output.document(document)
        else:
            session.output.note(f"{job_id}: {document['status']}")
    return code


def _show(session: Session, jobs: Iterable[Job]) -> None:
    if session.output.is_json:
        for job in jobs:
            session.output.document(job.raw)
        return
    shown = list(jobs)
    session.output.table(_HEADS, map(_row, shown))
    if len(shown) == 1:
        _show_result(session, shown[0])


def _row(job: Job) -> tuple[str, ...]:
    return (
        job.id,
        job.status,
        "-" if job.model is None else job.model.name,
        "-" if job.created_at is None else f"{job.created_at:%Y-%m-%d %H:%M:%S}Z",
        progress(job),
        duration(job),
    )


def _show_result(session: Session, job: Job) -> None:
    if job.error is not None:
        session.output.note(str(job.error))
    if job.explanations:
        heads = ("class", ">score", ">fidelity", "trust", ">segment", ">attribution", "unit")
        rows = [
            (
                class_name(item),
                figure(item.score),
                figure(item.fidelity.press_r2, 2),
                item.trust.level or "-",
                str(segment.segment),
                f"{segment.attribution:+.4f}",
                item.score_scale or "-",
            )
            for item in job.explanations
            for segment in item.top_segments[:5]
        ]
        session.output.table(heads, rows)
    session.output.warnings(job)
