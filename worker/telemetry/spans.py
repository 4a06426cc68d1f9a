"""Spans for OpenTelemetry, where its packages and the address of a collector are there.

Off unless ``OTEL_EXPORTER_OTLP_ENDPOINT`` (or the one for traces) is set and the extra ``otel`` is
installed; then what a process recorded goes out by OTLP over HTTP, as the standard ``OTEL_``
variables say. Without them nothing of it is imported.

A span is recorded when it has ended, under the ids of its ``Trace``: these are made anyway and
sent on, so nothing has to be carried along for the spans alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import structlog

from worker.telemetry.trace import Trace

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import SpanContext

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Kind = Literal["server", "consumer", "client", "internal"]
Attributes = Mapping[str, str | int | float | bool]

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class Recorder:
    """Hands spans to OpenTelemetry's exporter, which sends them in a thread of its own.

    Parameters
    ----------
    processor : opentelemetry.sdk.trace.SpanProcessor
    resource : opentelemetry.sdk.resources.Resource
    """

    def __init__(self, processor: SpanProcessor, resource: Resource) -> None:
        self._processor = processor
        self._resource = resource

    def record(
        self,
        name: str,
        *,
        trace: Trace,
        parent: Trace | None,
        seconds: float,
        kind: Kind,
        attributes: Attributes,
        failed: bool,
    ) -> None:
        """Record a span that has ended just now."""
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415

        ended = time.time_ns()
        self._processor.on_end(
            ReadableSpan(
                name=name,
                context=_context(trace),
                parent=None if parent is None else _context(parent),
                resource=self._resource,
                attributes=dict(attributes),
                kind=SpanKind[kind.upper()],
                status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
                start_time=ended - int(seconds * 1e9),
                end_time=ended,
            )
        )

    def close(self) -> None:
        """Send what is left."""
        self._processor.shutdown()


_recorder: Recorder | None = None


def start(service: str) -> None:
    """Begin to export, if that is configured; in each process, after it was forked.

    Parameters
    ----------
    service : str
        ``service.name``, unless ``OTEL_SERVICE_NAME`` says otherwise.
    """
    if not is_wanted():
        return
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter") is None:
        log.warning(
            "no spans are exported: install the extra 'otel', or unset OTEL_EXPORTER_OTLP_*"
        )
        return
    hand_to(_otlp(service))


def hand_to(recorder: Recorder | None) -> None:
    """Let spans of this process go to this recorder from now on, or nowhere."""
    global _recorder  # noqa: PLW0603 - of a process, like its logs.
    _recorder = recorder


def is_wanted() -> bool:
    """Whether the environment names a collector."""
    return any(os.environ.get(name) for name in ENDPOINTS)


def is_recording() -> bool:
    """Whether this process exports spans: then a trace that begins here is sampled."""
    return _recorder is not None


def continued(traceparent: str | None) -> tuple[Trace, Trace | None]:
    """Return a step of our own in a trace, and the step before it; without one, a trace begins."""
    parent = Trace.parse(traceparent)
    if parent is None:
        return Trace.new(is_sampled=is_recording()), None
    return parent.child(), parent


def stop() -> None:
    """Send what is left, and record nothing more."""
    if _recorder is not None:
        _recorder.close()
    hand_to(None)


def record(
    name: str,
    *,
    trace: Trace,
    parent: Trace | None,
    seconds: float,
    kind: Kind = "internal",
    attributes: Attributes = {},  # noqa: B006 - never changed.
    failed: bool = False,
) -> None:
    """Record a span that ended just now, if its trace is sampled and spans are exported."""
    if _recorder is not None and trace.is_sampled:
        _recorder.record(
            name,
            trace=trace,
            parent=parent,
            seconds=seconds,
            kind=kind,
            attributes=attributes,
            failed=failed,
        )


def _otlp(service: str) -> Recorder:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
    return Recorder(BatchSpanProcessor(OTLPSpanExporter()), Resource.create(named))


def _context(trace: Trace) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415

    return SpanContext(
        trace_id=int(trace.trace_id, 16),
        span_id=int(trace.span_id, 16),
        is_remote=False,
        trace_flags=TraceFlags(int(trace.is_sampled)),
    )
