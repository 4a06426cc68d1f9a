"""What a worker counts and times. ``docs/operations.md`` lists it for operators."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from worker.serving.calls import CallRecord

# A stage takes between a millisecond and minutes; a call is held to about 50 ms.
STAGE_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
CALL_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30)


class WorkerMetrics:
    """The metrics of one process; make it where they are to be counted, after the fork.

    Names of models come from the profiles, all other labels from fixed sets.
    """

    def __init__(self) -> None:
        # They are read through their files, by way of the steward, so no registry knows them.
        self._stages = Histogram(
            "limelight_stage_duration_seconds",
            "Time that jobs spent in each stage of an attempt.",
            ["model", "stage"],
            buckets=STAGE_BUCKETS,
            registry=None,
        )
        self._attempts = Histogram(
            "limelight_attempt_duration_seconds",
            "Time from claiming a job to leaving it, by what became of it.",
            ["model", "outcome"],
            buckets=STAGE_BUCKETS,
            registry=None,
        )
        self._calls = Histogram(
            "limelight_model_call_duration_seconds",
            "Time that calls to model servers took, by method and gRPC status.",
            ["model", "method", "status"],
            buckets=CALL_BUCKETS,
            registry=None,
        )
        self._images = Counter(
            "limelight_model_call_images",
            "Images in Predict calls that were answered.",
            ["model"],
            registry=None,
        )
        self._retries = Counter(
            "limelight_model_call_retries",
            "Calls that were made again because the one before had failed.",
            ["model"],
            registry=None,
        )

    def stage(self, model: str, stage: str, seconds: float) -> None:
        """Note that a job of this model has left a stage."""
        self._stages.labels(model, stage).observe(seconds)

    def attempt(self, model: str, outcome: str, seconds: float) -> None:
        """Note that a job of this model was left."""
        self._attempts.labels(model, outcome).observe(seconds)

    def call(self, record: CallRecord) -> None:
        """Note that a call to a model server has ended."""
        self._calls.labels(record.model, record.method, record.status).observe(record.seconds)
        if record.status == "OK" and record.rows:
            self._images.labels(record.model).inc(record.rows)
        if record.is_retry:
            self._retries.labels(record.model).inc()
