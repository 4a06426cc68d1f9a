"""Spans, as a collector gets them, and nothing of it where none is configured."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from worker.telemetry import spans
from worker.telemetry.trace import Trace

SAMPLED = Trace.new(is_sampled=True)


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    recorder = spans.Recorder(SimpleSpanProcessor(exporter), Resource({"service.name": "tests"}))
    spans.hand_to(recorder)
    yield exporter
    spans.stop()


def test_a_span_bears_the_ids_that_were_sent_on(exported: InMemorySpanExporter) -> None:
    step = SAMPLED.child()
    spans.record(
        "Predict", trace=step, parent=SAMPLED, seconds=2.0, kind="client", attributes={"images": 8}
    )
    [span] = exported.get_finished_spans()
    assert f"{span.context.trace_id:032x}" == SAMPLED.trace_id
    assert f"{span.context.span_id:016x}" == step.span_id
    assert f"{span.parent.span_id:016x}" == SAMPLED.span_id
    assert span.end_time - span.start_time == 2_000_000_000
    assert span.status.is_unset
    assert dict(span.attributes) == {"images": 8}


def test_a_failure_is_told(exported: InMemorySpanExporter) -> None:
    spans.record("explain", trace=SAMPLED, parent=None, seconds=0.1, failed=True)
    [span] = exported.get_finished_spans()
    assert not span.status.is_ok
    assert span.parent is None


def test_a_trace_that_its_beginner_does_not_record_is_not_recorded(
    exported: InMemorySpanExporter,
) -> None:
    spans.record("explain", trace=Trace.new(), parent=None, seconds=0.1)
    assert exported.get_finished_spans() == ()


def test_a_trace_that_begins_here_is_recorded_only_where_spans_are_exported(
    exported: InMemorySpanExporter,
) -> None:
    assert spans.continued(None)[0].is_sampled
    unsampled = Trace.new()
    assert not spans.continued(str(unsampled))[0].is_sampled
    spans.hand_to(None)
    assert not spans.continued(None)[0].is_sampled


def test_without_a_collector_nothing_of_it_is_imported() -> None:
    code = (
        "import sys; from worker.telemetry import spans, trace; spans.start('x');"
        "one = trace.Trace.new(is_sampled=True);"
        "spans.record('x', trace=one, parent=None, seconds=1.0); spans.stop();"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={}
    )
    assert done.stdout.strip() == "[]"
