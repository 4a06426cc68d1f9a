"""Channels to model servers: one per process at a time, balanced, encrypted, and replaced in time.

A channel is replaced by a newer one for two reasons. gRPC asks DNS again only when a connection
breaks, so a server that joins a name would get no calls. And what TLS shows is fixed when a channel
is opened, so changed files need another.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from worker.serving.addresses import target_of
from worker.serving.credentials import Credentials
from worker.serving.profile import ModelProfile
from worker.serving.rpc import Method, ServingStub

Option = tuple[str, str | int]

MIB = 1 << 20
_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})

OPTIONS: Sequence[Option] = (
    # gRPC's own limit of 4 MiB is below what a batch of dense scores takes.
    ("grpc.max_receive_message_length", 64 * MIB),
    # An HTTP/2 connection sticks to one server; round_robin opens one to each that DNS names.
    ("grpc.service_config", _SERVICE_CONFIG),
    # Servers answer pings more frequent than one in five minutes by closing the connection.
    ("grpc.keepalive_time_ms", 330_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # We retry, with a budget; a second layer of retries would multiply ours.
    ("grpc.enable_retries", 0),
    # A restarted server is found again within seconds, not after gRPC's default of up to 120 s.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    # Images and secrets go through no proxy but that of the profile. These are the two ways by
    # which gRPC takes one from the environment: http_proxy and its kin, GRPC_ADDRESS_HTTP_PROXY.
    ("grpc.enable_http_proxy", 0),
    ("grpc.address_http_proxy_enabled_addresses", ""),
)

# How long the addresses of a name are believed. Half a minute is promised until a new server gets
# calls, and DNS and connecting take their part of it.
RESOLVE_EVERY_S = 20.0
# How long a newer channel may take to connect. The one in use goes on meanwhile.
CONNECT_LIMIT_S = 10.0


class _Link:
    """An open channel, with the calls that were made on it."""

    def __init__(self, profile: ModelProfile, credentials: grpc.ChannelCredentials | None) -> None:
        self.credentials = credentials
        self.opened = time.monotonic()
        self._channel = open_channel(profile, credentials)
        self._stub = ServingStub(self._channel)
        self._ready: grpc.Future | None = None
        self._calls: list[Any] = []

    def connect(self) -> None:
        """Connect now, not with the first call."""
        self._ready = grpc.channel_ready_future(self._channel)

    @property
    def is_connected(self) -> bool:
        """Whether ``connect`` has reached a server."""
        return self._ready is not None and self._ready.done()

    @property
    def is_idle(self) -> bool:
        """Whether all its calls have ended."""
        return all(call.done() for call in self._calls)

    def send(self, method: Callable[[ServingStub], Method], request: Any, **options: Any) -> Any:
        """Send a request; return its future."""
        self._calls = [call for call in self._calls if not call.done()]
        call = method(self._stub).future(request, **options)
        self._calls.append(call)
        return call

    def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        if self._ready is not None:
            self._ready.cancel()
        self._channel.close()


class Connection:
    """The way to one model's server.

    The channel is opened by the first call of each process: gRPC's threads do not survive a fork,
    so a child must never use its parent's. Safe to use from several threads.

    Parameters
    ----------
    profile : ModelProfile
    resolve_every_s : float
        Seconds after which a call has the address resolved again, where DNS resolves it.
    """

    def __init__(self, profile: ModelProfile, *, resolve_every_s: float = RESOLVE_EVERY_S) -> None:
        self._profile = profile
        self._credentials = Credentials(profile)
        self._resolve_every_s = resolve_every_s if _is_resolved(profile) else float("inf")
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._current: _Link | None = None
        self._next: _Link | None = None
        self._retired: list[_Link] = []

    def send(
        self,
        method: Callable[[ServingStub], Method],
        request: Any,
        *,
        timeout_s: float,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> Any:
        """Send a request over this process's channel; do not wait for the answer.

        Parameters
        ----------
        method : callable
            Picks it from the stub.
        metadata : tuple of (str, str)
            Sent beside the profile's.

        Returns
        -------
        grpc.Future

        Raises
        ------
        PredictorUnavailable
            If the files of the profile's ``metadata`` or ``tls`` cannot be used.
        """
        with self._lock:
            link = self._link()
            metadata = self._credentials.metadata() + metadata
            return link.send(method, request, timeout=timeout_s, metadata=metadata)

    def _link(self) -> _Link:
        if self._pid != os.getpid():
            # What a parent opened is left alone: closing it here would end the parent's calls.
            self._forget()
            self._pid = os.getpid()
        credentials = self._credentials.for_channels()
        if self._current is None:
            self._current = _Link(self._profile, credentials)
        else:
            self._current = self._newest(self._current, credentials)
        return self._current

    def _newest(self, current: _Link, credentials: grpc.ChannelCredentials | None) -> _Link:
        """Return the channel to use: a newer one once it is connected, until then the current."""
        now = time.monotonic()
        if self._next is None:
            is_old = now - current.opened >= self._resolve_every_s
            if is_old or current.credentials is not credentials:
                self._next = _Link(self._profile, credentials)
                self._next.connect()
        elif self._next.is_connected:
            self._retired.append(current)
            current, self._next = self._next, None
        elif self._next.credentials is not credentials or now - self._next.opened > CONNECT_LIMIT_S:
            self._retired.append(self._next)
            self._next = None
        for idle in [link for link in self._retired if link.is_idle]:
            idle.close()
            self._retired.remove(idle)
        return current

    def _forget(self) -> None:
        self._current = self._next = None
        self._retired = []

    def close(self) -> None:
        """Close what this process opened; the next call opens another channel."""
        with self._lock:
            if self._pid == os.getpid():
                for link in (self._current, self._next, *self._retired):
                    if link is not None:
                        link.close()
            self._forget()


def open_channel(
    profile: ModelProfile, credentials: grpc.ChannelCredentials | None
) -> grpc.Channel:
    """Open a channel as the profile says. No connection is made before the first call."""
    options = list(OPTIONS)
    address = profile.address
    server_name = None if profile.tls is None else profile.tls.server_name
    target = target_of(address)
    if profile.proxy is not None and target is not None:
        # gRPC's own option for a proxy yields to no_proxy of the environment. So the proxy is what
        # we connect to, and these say where it is to connect us, and as whose callers.
        address, server_name = profile.proxy.address, server_name or target.host
        options += [("grpc.http_connect_server", str(target))]
        if (authorization := profile.proxy.authorization) is not None:
            header = f"Proxy-Authorization:{authorization}"
            options.append(("grpc.http_connect_headers", header))
        if credentials is None:
            options.append(("grpc.default_authority", str(target)))
    if credentials is None:
        return grpc.insecure_channel(address, options=options)
    if server_name is not None:
        options.append(("grpc.ssl_target_name_override", server_name))
    return grpc.secure_channel(address, credentials, options=options)


def _is_resolved(profile: ModelProfile) -> bool:
    """Whether the address is a name that DNS resolves for us; a proxy does that by itself."""
    target = target_of(profile.address)
    by_dns = profile.address.startswith("dns:") and target is not None and target.is_name
    return by_dns and profile.proxy is None
