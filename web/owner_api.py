"""What owners do with their jobs besides submitting and polling: list, follow, cancel, erase."""

from __future__ import annotations

from flask import Blueprint, Response, request

from web import event_stream
from web.answers import RETRY_AFTER_S, find_job, json_answer, ref_of
from web.auth import needs
from web.job_view import job_view
from web.listing import page_view, read_cursor, read_query
from web.paths import path_prefix
from web.ports import Ports
from web.principal import principal
from web.streams import Streams


def blueprint(*, ports: Ports, streams: Streams) -> Blueprint:
    """Make the routes over what they need."""
    api = Blueprint("owner", __name__)

    @api.get("/v1/explanations")
    @needs("read")
    def list_jobs() -> Response:
        query = read_query(request.args)
        page = ports.store.page(
            principal().tenant,
            status=query.status,
            model=query.model,
            limit=query.limit,
            after=read_cursor(query.cursor),
        )
        return json_answer(page_view(page, prefix=path_prefix()))

    @api.get("/v1/explanations/<job_id>/events")
    @needs("read", shared=True)
    def events(job_id: str) -> Response:
        job = find_job(ports.store, job_id)
        return event_stream.answer(job, store=ports.store, streams=streams)

    @api.post("/v1/explanations/<job_id>/cancel")
    @needs("submit")
    def cancel(job_id: str) -> Response:
        job = ports.store.request_cancel(ref_of(job_id))
        answer = json_answer(job_view(job, prefix=path_prefix()), status=202)
        if not job.is_terminal:
            answer.headers["Retry-After"] = RETRY_AFTER_S
        return answer

    @api.delete("/v1/explanations/<job_id>")
    @needs("submit")
    def erase(job_id: str) -> Response:
        ref = ref_of(job_id)
        # Should this process end after the first step, the sweeper takes the others.
        ports.store.discard(ref)
        ports.blobs.release(ref, owner=ref)
        ports.store.erase(ref, blobs_may_follow=True)
        return Response(status=204)

    return api
