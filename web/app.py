"""The Flask application over its ports."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import redis
from flask import Flask, Response, request
from prometheus_client import CollectorRegistry

from web import access_api, api, errors, health, metrics, owner_api, pages, tracing, webhook_api
from web.acceptance import Acceptance
from web.cors import CrossOrigin
from web.doorkeeper import Doorkeeper
from web.forwarding import Forwarding
from web.hosts import TrustedHosts
from web.keyring import KeyRing
from web.limits import RateLimits
from web.model_index import ModelIndex
from web.parsing import Request
from web.ports import Blobs, Catalogue, Images, JobStore, Keys, Outbox, Ports, Queue, Reservations
from web.session_cookie import SessionCookie
from web.sessions import Sessions
from web.settings import WebSettings
from web.shares import Shares
from web.site import blueprint as site
from web.site.actions import Access
from web.site.rendering import error_page
from web.site.routes import Parts
from web.site.samples import Samples
from web.site.thumbnails import Thumbnails
from web.streams import STREAMS, Streams
from web.submit import Submitter
from web.tickets import Tickets
from worker.jobs.condition import Condition
from worker.jobs.tenants import Tenants
from worker.webhooks.addresses import Policy

MAX_FORM_FIELD_BYTES = 500_000
MAX_FORM_PARTS = 100

_SECURITY_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


def create_app(
    settings: WebSettings,
    *,
    store: JobStore,
    blobs: Blobs,
    queue: Queue,
    catalogue: Catalogue,
    keys: Keys,
    reservations: Reservations,
    outbox: Outbox,
    images: Images,
    condition: Callable[[], Condition],
    tenants: Tenants,
    webhook_policy: Callable[[str], Policy],
    limiter_redis: redis.Redis | None,
    registry: CollectorRegistry,
    retention_s: int = 86_400,
) -> Flask:
    """Build the application.

    Parameters
    ----------
    settings : WebSettings
    store, blobs, queue, catalogue, keys, reservations, outbox, images
        What it works with; nothing is called before the first request.
    condition : callable
        Reads the condition of Redis and of the queues.
    tenants : Tenants
        What each may do.
    webhook_policy : callable
        Where the webhooks of each may go.
    limiter_redis : redis.Redis or None
        Where requests are counted; in the memory of this process if None.
    registry : prometheus_client.CollectorRegistry
        What is read at a scrape.
    retention_s : int
        How long a job is kept that does not say so itself.
    """
    ports = Ports(store=store, blobs=blobs, queue=queue, catalogue=catalogue)
    models = ModelIndex(catalogue, ttl_s=settings.catalogue_ttl_s)
    submitter = Submitter(
        ports=ports,
        models=models,
        settings=settings,
        tenants=tenants,
        webhook_policy=webhook_policy,
        retention_s=retention_s,
    )
    app = Flask(__name__, static_folder=None)
    app.request_class = Request
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_upload_bytes,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_FIELD_BYTES,
        MAX_FORM_PARTS=MAX_FORM_PARTS,
    )
    # A path that is written otherwise is another: a redirect would lose the body of a POST.
    app.url_map.merge_slashes = False
    app.wsgi_app = Forwarding(  # type: ignore[method-assign]
        app.wsgi_app,
        proxies=settings.trusted_proxies,
        headers=settings.proxy_headers,
        prefix=None if settings.public is None else settings.public.prefix,
    )
    tracing.attend(app)
    metrics.RequestMetrics().attend(app)
    TrustedHosts(settings.answered_hosts).attend(app)
    access = _guard(app, settings, keys=keys, store=store)
    RateLimits(tenants, limiter_redis).attend(app)
    acceptance = Acceptance(submitter=submitter, reservations=reservations)
    app.register_blueprint(
        api.blueprint(ports=ports, models=models, acceptance=acceptance, images=images)
    )
    streams = app.extensions[STREAMS] = Streams(store, most=settings.web_streams)
    app.register_blueprint(owner_api.blueprint(ports=ports, streams=streams))
    app.register_blueprint(webhook_api.blueprint(store=store, outbox=outbox))
    app.register_blueprint(health.blueprint(catalogue, models=models, condition=condition))
    app.register_blueprint(metrics.blueprint(registry))
    if settings.metrics_address is not None:
        metrics.at_own_address(app, settings.metrics_address, registry)
    app.register_blueprint(pages.blueprint())
    app.after_request(_secure)
    app.after_request(_finish_reading)
    parts = Parts(
        ports=ports,
        models=models,
        settings=settings,
        samples=Samples(settings.samples_dir),
        thumbnails=Thumbnails(),
    )
    app.register_blueprint(site.blueprint(parts, acceptance=acceptance, access=access))
    errors.register(app, page=error_page)
    return app


def _guard(app: Flask, settings: WebSettings, *, keys: Keys, store: JobStore) -> Access:
    """Let nobody in who may not, and let people sign in and share what they see."""
    given = settings.secret_key
    secret = keys.secret if given is None else given.get_secret_value
    ring = KeyRing(keys)
    sessions = Sessions(Tickets(secret, purpose="session"), ring, lasts_s=settings.session_s)
    cookie = SessionCookie(secure=settings.cookies_are_secure)
    shares = Shares(Tickets(secret, purpose="share"), ring)
    cross_origin = CrossOrigin(settings.cors_origins)
    cross_origin.attend(app)
    Doorkeeper(
        ring,
        sessions=sessions,
        shares=shares,
        anonymous=settings.admits_anonymous,
        cross_origin=cross_origin,
    ).attend(app)
    app.register_blueprint(
        access_api.blueprint(
            ring=ring,
            sessions=sessions,
            shares=shares,
            store=store,
            cookie=cookie,
        )
    )
    return Access(
        ring=ring,
        sessions=sessions,
        shares=shares,
        cookie=cookie,
        public_origin=None if settings.public is None else str(settings.public.origin),
    )


def _secure(response: Response) -> Response:
    for name, value in _SECURITY_HEADERS:
        response.headers.setdefault(name, value)
    return response


def _finish_reading(response: Response) -> Response:
    cast("Request", request).discard_rest()
    return response
