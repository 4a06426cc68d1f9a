"""``limelight-web``: read the settings, build the parts, serve."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from typing import TypeVar, cast

import certifi
import structlog
from flask import Flask
from pydantic import ValidationError

from web.app import create_app
from web.fetching import ImageFetcher
from web.keys import KeyStore
from web.logs import add_request
from web.server import Server
from web.service_metrics import ServiceMetrics
from web.settings import WebSettings
from worker.jobs.blobs import open_blobs
from worker.jobs.catalogue import Catalogue
from worker.jobs.condition import problems_at_start, read_condition
from worker.jobs.connection import connect
from worker.jobs.counts import read_counts
from worker.jobs.environment import EnvironmentSettings, problems_of
from worker.jobs.errors import StoreUnavailable
from worker.jobs.idempotency import Idempotency
from worker.jobs.queue import Queue, celery_app
from worker.jobs.settings import StoreSettings
from worker.jobs.store import Store
from worker.jobs.tenants import Tenants, TenantsError, load_tenants
from worker.jobs.traffic import Traffic
from worker.telemetry import metrics
from worker.telemetry.endpoint import Address, CannotListen
from worker.telemetry.folders import own_temporary_files
from worker.telemetry.logs import configure_logging
from worker.webhooks.addresses import Policy
from worker.webhooks.outbox import Outbox
from worker.webhooks.settings import WebhookSettings, policies

_log = structlog.get_logger("web.main")


Settings = TypeVar("Settings", bound=EnvironmentSettings)


class CannotStart(Exception):
    """The server cannot start as it is configured. The message says what to change."""


def main() -> int:
    """Serve until stopped; return an exit code."""
    try:
        settings, store_settings, webhook_settings = read_settings()
        configure_logging(settings.log_level, also=[add_request])
        tenants = load_tenants(store_settings.tenants_file)
        webhook_policy = policies(webhook_settings.policy(), tenants)
        check_exposure(settings, any_key=lambda: _any_key(store_settings))
        check_port(settings.address, "LIMELIGHT_BIND")
        check_port(settings.metrics_address, "LIMELIGHT_WEB_METRICS_BIND")
    except (CannotStart, TenantsError) as error:
        print(f"limelight-web: {error}", file=sys.stderr)  # noqa: T201
        return 1
    # Both addresses of the store may hold a password.
    store = store_settings.model_dump(mode="json", exclude={"redis_url", "blob_url"})
    _log.info(
        "starting",
        settings=settings.model_dump(mode="json"),
        store=store,
        webhooks=webhook_settings.model_dump(mode="json"),
    )
    for problem in problems_at_start(store_settings):
        _log.warning("redis", problem=problem)
    with own_temporary_files(), metrics.sharing():
        Server(lambda: build(settings, store_settings, tenants, webhook_policy), settings).run()
    return 0


def read_settings() -> tuple[WebSettings, StoreSettings, WebhookSettings]:
    """Read ``LIMELIGHT_*``.

    Raises
    ------
    CannotStart
        Naming every variable that cannot be used, without its value.
    """
    problems: list[str] = []

    def read(kind: type[Settings]) -> Settings:
        try:
            return kind()
        except ValidationError as error:
            problems.extend(problems_of(error))
            return cast("Settings", kind.model_construct())

    settings = read(WebSettings), read(StoreSettings), read(WebhookSettings)
    if problems:
        raise CannotStart(" ".join(dict.fromkeys(problems)))
    return settings


def check_exposure(settings: WebSettings, *, any_key: Callable[[], bool]) -> None:
    """Refuse to listen beyond this machine where nobody could use the service, or anybody.

    If it cannot be found out whether there are keys, the service starts: it lets nobody in before
    it has seen one.

    Raises
    ------
    CannotStart
    """
    if settings.admits_anonymous:
        return
    try:
        if any_key():
            return
    except StoreUnavailable as error:
        _log.warning("cannot see yet whether there are API keys", error=str(error))
        return
    raise CannotStart(
        f"{settings.bind} can be reached from other machines, and there are no API keys. Make one "
        "with: limelight keys create. Or listen on 127.0.0.1 (LIMELIGHT_BIND), or set "
        "LIMELIGHT_ALLOW_ANONYMOUS=true if everybody who can connect may use it."
    )


def _any_key(settings: StoreSettings) -> bool:
    # A connection of its own, closed before the processes that serve are forked.
    with connect(settings) as redis:
        return KeyStore(redis).any()


def check_port(address: Address | None, setting: str) -> None:
    """Find out whether an address can be listened on, before gunicorn tries for seconds.

    Raises
    ------
    CannotStart
    """
    try:
        if address is not None:
            address.check()
    except CannotListen as error:
        raise CannotStart(f"{error} ({setting}).") from error


def build(
    settings: WebSettings,
    store_settings: StoreSettings,
    tenants: Tenants,
    webhook_policy: Callable[[str], Policy],
) -> Flask:
    """Build the application over Redis. Nothing is sent before the first request."""
    redis = connect(store_settings)
    catalogue = Catalogue(redis)
    registry = metrics.shared_registry()
    registry.register(
        ServiceMetrics(
            condition=lambda: read_condition(redis),
            counts=lambda: read_counts(redis),
            traffic=Traffic(redis).state,
            catalogue=catalogue,
        )
    )
    return create_app(
        settings,
        store=Store(redis),
        blobs=open_blobs(store_settings.blob_url, redis),
        queue=Queue(celery_app(store_settings)),
        catalogue=catalogue,
        keys=KeyStore(redis),
        reservations=Idempotency(redis),
        outbox=Outbox(redis),
        images=ImageFetcher(
            hosts=settings.image_hosts,
            policy_of=webhook_policy,
            most_bytes=settings.max_upload_bytes,
            at_once=settings.fetches_at_once,
            tls=ssl.create_default_context(cafile=certifi.where()),
        ),
        condition=lambda: read_condition(redis),
        tenants=tenants,
        webhook_policy=webhook_policy,
        limiter_redis=redis,
        registry=registry,
        retention_s=store_settings.retention_s,
    )


if __name__ == "__main__":
    sys.exit(main())
