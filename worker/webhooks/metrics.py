"""What ``limelight-webhooks`` counts and times; one process, so its values are its memory's."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60)


class WebhookMetrics:
    """Tries, and what became of deliveries by them.

    Parameters
    ----------
    registry : prometheus_client.CollectorRegistry
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tries = Histogram(
            "limelight_webhook_try_duration_seconds",
            "Time that tries took, by what came of them: delivered, or what went wrong.",
            ["result"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._deliveries = Counter(
            "limelight_webhook_deliveries",
            "Deliveries that ended, by event: delivered, or given up as undeliverable.",
            ["event", "state"],
            registry=registry,
        )

    def tried(self, *, event: str, error: str | None, state: str, seconds: float) -> None:
        """Note what came of a try, and of its delivery if that has ended."""
        self._tries.labels(error or "delivered").observe(seconds)
        if state != "pending":
            self._deliveries.labels(event, state).inc()
