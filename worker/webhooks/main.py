"""The process ``limelight-webhooks``: settings are read and things are built here.

It is no Celery task. A try waits for others' servers, so many run at a time and each costs a
thread, not a process; and what is due is known by the outbox, so there is nothing to put in a
queue. Any number of these processes may run.
"""

from __future__ import annotations

import os
import random
import signal
import ssl
import sys
import threading
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version

import certifi
import structlog
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from worker.jobs.condition import problems_at_start
from worker.jobs.connection import connect
from worker.jobs.environment import problems_of
from worker.jobs.store import Store
from worker.jobs.tenants import TenantsError, load_tenants
from worker.telemetry import metrics, spans
from worker.telemetry.endpoint import CannotListen
from worker.telemetry.logs import configure_logging
from worker.webhooks.addresses import Policy
from worker.webhooks.delivery import Sender
from worker.webhooks.dispatcher import Dispatcher
from worker.webhooks.metrics import WebhookMetrics
from worker.webhooks.outbox import Outbox
from worker.webhooks.settings import DispatcherSettings, policies
from worker.webhooks.signing import SecretStore
from worker.webhooks.slots import Slots

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EX_CONFIG = 78
# A delivery is in hand for so many times the longest try, so that settling it has time too.
LEASE_TRIES = 2


def main() -> int:
    """Send webhooks until SIGTERM or Ctrl-C; return the exit code."""
    try:
        settings = DispatcherSettings()
        tls = ssl.create_default_context(cafile=settings.webhook_ca_file or certifi.where())
        policy_of = policies(settings.policy(), load_tenants(settings.tenants_file))
    except ValidationError as error:
        return _refuse(problems_of(error))
    except TenantsError as error:
        return _refuse(error.problems)
    except (OSError, ssl.SSLError) as error:
        return _refuse([f"LIMELIGHT_WEBHOOK_CA_FILE cannot be read: {error.strerror}."])
    registry = CollectorRegistry()
    watch = WebhookMetrics(registry)
    configure_logging(settings.log_level)
    try:
        if settings.metrics_address is not None:
            metrics.serve(registry, settings.metrics_address)
    except CannotListen as error:
        return _refuse([f"{error} (LIMELIGHT_WEBHOOK_METRICS_BIND)."])
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    log.info("webhooks starting", threads=settings.webhook_threads)
    for problem in problems_at_start(settings):
        log.warning("redis", problem=problem)
    spans.start("limelight-webhooks")
    build(settings, tls=tls, policy_of=policy_of, watch=watch).run(stop)
    spans.stop()
    log.info("webhooks stopped")
    return os.EX_OK


def build(
    settings: DispatcherSettings,
    *,
    tls: ssl.SSLContext,
    policy_of: Callable[[str], Policy],
    watch: WebhookMetrics,
) -> Dispatcher:
    """Connect the parts of a dispatcher."""
    redis = connect(settings)
    return Dispatcher(
        outbox=Outbox(redis),
        jobs=Store(redis),
        secrets=SecretStore(redis),
        sender=Sender(tls=tls, timeout_s=settings.webhook_timeout_s),
        policy_of=policy_of,
        watch=watch,
        slots=Slots(total=settings.webhook_threads, per_host=settings.webhook_per_host),
        threads=settings.webhook_threads,
        lease_s=LEASE_TRIES * settings.webhook_timeout_s,
        user_agent=f"Limelight/{_version()}",
        # Jitter keeps no secret.
        rng=random.Random(),  # noqa: S311
        prefix=settings.path_prefix,
    )


def _version() -> str:
    try:
        return version("limelight")
    except PackageNotFoundError:
        # Run from a source tree that was never installed.
        return "unknown"


def _refuse(problems: Iterable[str]) -> int:
    lines = "".join(f"  {problem}\n" for problem in problems)
    sys.stderr.write(f"limelight-webhooks cannot start:\n{lines}")
    return EX_CONFIG


if __name__ == "__main__":
    sys.exit(main())
