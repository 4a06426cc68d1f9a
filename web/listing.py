"""``GET /v1/explanations``: what may be asked, and a page as it is shown."""

from __future__ import annotations

import base64
import binascii
import math

from pydantic import Field
from werkzeug.datastructures import MultiDict

from web.errors import FieldError, InvalidRequest, pointer_to
from web.job_documents import JobPage
from web.job_view import job_summary
from web.schemas import RequestModel, validate
from web.strict_json import check_values
from worker.jobs.job import Status, is_job_id
from worker.jobs.listing import Page, Position

MAX_LIMIT = 100


class ListQuery(RequestModel):
    """The query of a list of jobs."""

    status: Status | None = Field(None, description="Only jobs with this status.")
    model: str | None = Field(None, max_length=200, description="Only jobs for this model.")
    limit: int = Field(20, ge=1, le=MAX_LIMIT, description="The most jobs in a page.")
    cursor: str | None = Field(
        None, max_length=200, description="The `next` of the page before this one."
    )


def read_query(arguments: MultiDict[str, str]) -> ListQuery:
    """Check the query of a request.

    Raises
    ------
    InvalidRequest
        Naming every parameter that cannot be used.
    """
    repeated = [
        FieldError(pointer=pointer_to([name[:80]]), detail="was given more than once")
        for name, values in arguments.lists()
        if len(values) > 1
    ]
    if repeated:
        raise InvalidRequest(repeated)
    document = arguments.to_dict()
    check_values(document)
    return validate(ListQuery, document, text=True)


def read_cursor(cursor: str | None) -> Position | None:
    """Read the place that a cursor stands for.

    Raises
    ------
    InvalidRequest
        If no page ever named it.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
        created_at, _, job_id = text.partition(" ")
        position = Position(float(created_at), job_id)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest.at("/cursor", "is none that was given out here") from error
    if not math.isfinite(position.created_at) or not is_job_id(position.id):
        raise InvalidRequest.at("/cursor", "is none that was given out here")
    return position


def page_view(page: Page, *, prefix: str) -> JobPage:
    """Show a page; ``prefix`` is what all paths begin with."""
    return {
        "explanations": [job_summary(job, prefix=prefix) for job in page.jobs],
        "next": None if page.next is None else _cursor(page.next),
    }


def _cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(f"{position.created_at!r} {position.id}".encode()).decode()
