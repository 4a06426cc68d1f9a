"""Channels to model servers: one per process, opened at the first call, balanced and encrypted."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import grpc

from worker.serving.errors import PredictorRejected
from worker.serving.profile import ModelProfile, Tls
from worker.serving.rpc import ServingStub

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
)


class Connection:
    """The way to one model's server.

    The channel is opened by the first call of each process: gRPC's threads do not survive a fork,
    so a child must never use its parent's. Safe to use from several threads.
    """

    def __init__(self, profile: ModelProfile) -> None:
        self._profile = profile
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._channel: grpc.Channel | None = None
        self._stub: ServingStub | None = None

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The profile's gRPC metadata, secrets in the clear."""
        items = self._profile.metadata.items()
        return tuple((key, secret.get_secret_value()) for key, secret in items)

    def stub(self) -> ServingStub:
        """Return this process's stub.

        Raises
        ------
        PredictorRejected
            If the files of the profile's ``tls`` cannot be read.
        """
        with self._lock:
            if self._stub is None or self._pid != os.getpid():
                # What a parent opened is left alone: closing it here would end the parent's calls.
                self._channel = open_channel(self._profile)
                self._stub = ServingStub(self._channel)
                self._pid = os.getpid()
            return self._stub

    def close(self) -> None:
        """Close this process's channel; the next call opens another."""
        with self._lock:
            if self._channel is not None and self._pid == os.getpid():
                self._channel.close()
            self._channel = self._stub = None


def open_channel(profile: ModelProfile) -> grpc.Channel:
    """Open a channel as the profile says. No connection is made before the first call."""
    if profile.tls is None:
        return grpc.insecure_channel(profile.address, options=list(OPTIONS))
    options = list(OPTIONS)
    if profile.tls.server_name is not None:
        options.append(("grpc.ssl_target_name_override", profile.tls.server_name))
    credentials = _credentials(profile.name, profile.tls)
    return grpc.secure_channel(profile.address, credentials, options=options)


def _credentials(model: str, tls: Tls) -> grpc.ChannelCredentials:
    try:
        return grpc.ssl_channel_credentials(
            root_certificates=_content(tls.ca),
            private_key=_content(tls.key),
            certificate_chain=_content(tls.cert),
        )
    except OSError as error:
        raise PredictorRejected(
            f"The TLS files of model {model!r} cannot be read; the operator must look at its "
            f"profile.",
            context=str(error),
        ) from error


def _content(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()
