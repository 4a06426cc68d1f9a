"""A job as the fields of a Redis hash, and back.

Fields and JSON members that this version does not know are passed over, and those that it misses
get their default: a newer version may have written the record, or an older one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar, cast

from worker.jobs.job import (
    Failure,
    Job,
    JobRef,
    JobRequest,
    Progress,
    QueueName,
    Status,
    UploadedImage,
    Webhook,
)
from worker.jobs.sharing import without_costs

T = TypeVar("T")


def to_json(value: object) -> str:
    """Write a dataclass or a JSON value, compactly and always in the same way."""
    plain = asdict(value) if hasattr(value, "__dataclass_fields__") else value  # type: ignore[call-overload]
    return json.dumps(plain, separators=(",", ":"), allow_nan=False, default=dict)


def known(kind: type[T], members: Mapping[str, Any]) -> T:
    """Make a dataclass of those members that it has."""
    names = {entry.name for entry in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in members.items() if name in names})


def pairs(flat: list[bytes]) -> dict[bytes, bytes]:
    """Make the mapping of what a script returned from HGETALL."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def decode(ref: JobRef, record: Mapping[bytes, bytes]) -> Job:
    """Read a record.

    Raises
    ------
    KeyError, ValueError
        If it is none.
    """

    def text(name: bytes) -> str | None:
        # A field that does not apply is absent or empty.
        return record[name].decode() if record.get(name) else None

    def number(name: bytes) -> float | None:
        return float(record[name]) if record.get(name) else None

    error, result = record.get(b"error"), record.get(b"result")
    job = Job(
        ref=ref,
        status=cast("Status", record[b"status"].decode()),
        queue=cast("QueueName", record[b"queue"].decode()),
        request=_request(json.loads(record[b"request"])),
        image=known(UploadedImage, json.loads(record[b"image"])),
        created_at=float(record[b"created_at"]),
        deadline_at=float(record[b"deadline_at"]),
        retention_s=int(record[b"retention_s"]),
        started_at=number(b"started_at"),
        finished_at=number(b"finished_at"),
        expires_at=number(b"expires_at"),
        published_at=number(b"published_at"),
        not_before=number(b"not_before"),
        waiting_for=text(b"waiting_for"),
        fence=int(record.get(b"fence", 0)),
        lease_until=number(b"lease_until"),
        worker=text(b"worker"),
        attempts=int(record.get(b"attempts", 0)),
        cancel_requested=record.get(b"cancel_requested") == b"1",
        progress=Progress(
            stage=text(b"stage") or "queued",
            samples_done=int(record.get(b"samples_done", 0)),
            samples_limit=int(record.get(b"samples_limit", 0)),
        ),
        result=_result(json.loads(result)) if result else None,
        error=known(Failure, json.loads(error)) if error else None,
        computed_by=text(b"computed_by"),
        traceparent=text(b"traceparent"),
        schema_version=int(record[b"schema_version"]),
    )
    return job if job.computed_by is None else without_costs(job)


def _result(members: dict[str, Any]) -> dict[str, Any]:
    # Workers before 0.1.0 wrote warnings as sentences. What is read has one form.
    if "warnings" in members:
        members["warnings"] = [
            {"code": "other", "severity": "warning", "class_index": None, "text": told, "cure": ""}
            if isinstance(told, str)
            else told
            for told in members["warnings"]
        ]
    return members


def _request(members: dict[str, Any]) -> JobRequest:
    # JSON has lists where a frozen value has tuples.
    if isinstance(members["classes"], list):
        members["classes"] = tuple(members["classes"])
    members["overlays"] = tuple(members["overlays"])
    if members.get("webhook") is not None:
        webhook = known(Webhook, members["webhook"])
        members["webhook"] = replace(webhook, events=tuple(webhook.events))
    return known(JobRequest, members)
