"""Spans of a job from web and worker, as a collector gets them by OTLP."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from deploy.demo.redis_server import LOOPBACK
from tests.integration.worker.conftest import Service, StartWorker, told_from, wait_until
from tests.support import pictures
from tests.support.web_process import running
from tests.unit.fakes import make_job

pytestmark = pytest.mark.integration

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """Takes what exporters post."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []

    def take(self, body: bytes) -> None:
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {one.key: one.value.string_value for one in of_resource.resource.attributes}
            for scope in of_resource.scope_spans:
                self.spans += [(names["service.name"], span) for span in scope.spans]

    def of(self, trace_id: str) -> dict[str, tuple[str, Span]]:
        """The spans of a trace by name, each with the service that it is of."""
        return {
            span.name: (service, span)
            for service, span in self.spans
            if span.trace_id.hex() == trace_id
        }


@contextmanager
def collecting(collector: Collector) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            collector.take(gzip.decompress(body) if packed else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{LOOPBACK}:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_sampled_request_gives_one_tree_of_spans_from_web_to_the_model_server(
    service: Service,
    start_worker: StartWorker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collector = Collector()
    with collecting(collector) as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        worker = start_worker()
        with running(service.redis_url, tmp_path / "web.log") as url, told_from(worker):
            answer = httpx.post(
                f"{url}/v1/explanations",
                files={"image": pictures.png()},
                headers={"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"},
                trust_env=False,
                timeout=60,
            )
            assert answer.status_code == 202
            wait_until(lambda: "explain" in collector.of(TRACE_ID), timeout_s=60)
            wait_until(lambda: "POST /v1/explanations" in collector.of(TRACE_ID))
    found = collector.of(TRACE_ID)
    by_id = {span.span_id: name for name, (_, span) in found.items()}
    posted, explained = found["POST /v1/explanations"][1], found["explain"][1]
    assert posted.parent_span_id.hex() == SPAN_ID
    assert by_id[explained.parent_span_id] == "POST /v1/explanations"
    for name in ("segmenting", "sampling", "drawing", "storing", "Predict", "GetModelMetadata"):
        assert by_id[found[name][1].parent_span_id] == "explain", name
    assert found["Predict"][0] == found["explain"][0] == "limelight-worker"
    assert found["POST /v1/explanations"][0] == "limelight-web"


def test_jobs_go_on_while_the_collector_is_away(
    service: Service, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{LOOPBACK}:9")
    worker = start_worker()
    with told_from(worker):
        service.explained(make_job())
