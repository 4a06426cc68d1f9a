"""The routes of a job's webhook: what it was told, and telling it once more."""

from __future__ import annotations

from flask import Blueprint, Response

from web.answers import find_job, json_answer
from web.auth import needs
from web.errors import NotFound
from web.job_view import timestamp
from web.paths import job_path, path_prefix, webhook_path
from web.ports import JobStore, Outbox
from web.webhook_documents import Delivery, WebhookLinks, WebhookLog
from worker.jobs.job import JobRef, Webhook
from worker.webhooks import outbox as deliveries
from worker.webhooks.outbox import NothingToRedeliver


def blueprint(*, store: JobStore, outbox: Outbox) -> Blueprint:
    """Make the routes over what they need.

    Who follows a share link gets none of this: the URL is the owner's and may hold a secret.
    """
    api = Blueprint("webhook", __name__)

    @api.get("/v1/explanations/<job_id>/webhook")
    @needs("read")
    def show(job_id: str) -> Response:
        job = find_job(store, job_id)
        if job.request.webhook is None:
            raise NotFound("The job was submitted without a webhook.")
        return _answer(job.ref, job.request.webhook, outbox.log(job.ref), status=200)

    @api.post("/v1/explanations/<job_id>/webhook/redeliver")
    @needs("submit")
    def redeliver(job_id: str) -> Response:
        job = find_job(store, job_id)
        if job.request.webhook is None:
            raise NothingToRedeliver
        outbox.redeliver(job.ref)
        return _answer(job.ref, job.request.webhook, outbox.log(job.ref), status=202)

    return api


def _answer(
    ref: JobRef, webhook: Webhook, log: deliveries.DeliveryLog | None, *, status: int
) -> Response:
    told = () if log is None else log.deliveries
    shown: WebhookLog = {
        "url": webhook.url,
        "events": list(webhook.events),
        "deliveries": [_delivery(one) for one in told],
        "links": _links(ref, is_told=bool(told)),
    }
    return json_answer(shown, status=status)


def _delivery(delivery: deliveries.Delivery) -> Delivery:
    return {
        "id": delivery.id,
        "event": delivery.event,
        "at": timestamp(delivery.at),
        "state": delivery.state,
        "attempts": [
            {
                "at": timestamp(attempt.at),
                "took_s": attempt.took_s,
                "status_code": attempt.status_code,
                "error": attempt.error,
                "detail": attempt.detail,
            }
            for attempt in delivery.attempts
        ],
        "next_try_at": timestamp(delivery.next_try_at),
    }


def _links(ref: JobRef, *, is_told: bool) -> WebhookLinks:
    prefix = path_prefix()
    path = webhook_path(ref.id, prefix=prefix)
    links: WebhookLinks = {"self": path, "job": job_path(ref.id, prefix=prefix)}
    if is_told:
        links["redeliver"] = f"{path}/redeliver"
    return links
