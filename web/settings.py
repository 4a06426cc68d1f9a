"""Settings of the web process, read once from ``LIMELIGHT_*`` (those of the store are its own)."""

from __future__ import annotations

import ipaddress
import json
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from worker.jobs.environment import EnvironmentSettings


class Address(NamedTuple):
    """Where the server listens."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class WebSettings(EnvironmentSettings):
    """What the operator may set. Times are in seconds, sizes in bytes."""

    bind: str = Field("127.0.0.1:8000", description="host:port to listen on.")
    web_workers: int = Field(2, ge=1, le=64, description="Processes.")
    web_threads: int = Field(8, ge=1, le=256, description="Threads in each process.")
    web_streams: int = Field(
        400, ge=1, le=10_000, description="Event streams open at once in each process."
    )
    web_timeout_s: int = Field(60, ge=5, le=600, description="A process stuck longer is replaced.")
    web_patience_s: float = Field(
        20.0,
        ge=1,
        le=600,
        description="A client that sends or takes nothing for so long, or less than 20 kB a second "
        "for longer, is dropped.",
    )
    grace_s: int = Field(30, ge=1, le=600, description="Time for open requests at shutdown.")
    allow_anonymous: bool = Field(
        False, description="Listen beyond this machine although no keys are configured."
    )
    secret_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="What sessions and share links are signed with, the same on every machine; "
        "one is made and kept in Redis if none is given.",
    )
    session_s: int = Field(12 * 3600, ge=60, description="How long somebody stays signed in.")
    secure_cookies: bool | None = Field(
        None,
        description="Whether browsers send the session's cookie over HTTPS only; if unset, "
        "wherever other machines can connect.",
    )
    trusted_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("localhost", "127.0.0.1"),
        min_length=1,
        description="Host names that are answered for, separated by commas; .example.org means "
        "its subdomains too.",
    )
    default_model: str | None = Field(
        None, description="The model of a request that names none, where there are several."
    )
    max_upload_bytes: int = Field(
        20_000_000, ge=1_000, le=32_000_000, description="Longest request body."
    )
    max_retention_s: int = Field(
        30 * 86_400, ge=60, description="Longest retention that a request may ask for."
    )
    queue_limit_s: int = Field(
        86_400, ge=1, description="A job that has not started within this time expires."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    catalogue_ttl_s: float = Field(
        1.5, ge=0, le=60, description="How long the model catalogue is remembered."
    )

    @field_validator("trusted_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return json.loads(value)
        return tuple(host.strip() for host in value.split(",") if host.strip())

    @field_validator("bind")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:  # noqa: PLR2004
            raise ValueError("must be host:port, for instance 127.0.0.1:8000")
        return value

    @property
    def address(self) -> Address:
        """``bind`` in its parts."""
        host, _, port = self.bind.rpartition(":")
        return Address(host.strip("[]"), int(port))

    @property
    def admits_anonymous(self) -> bool:
        """Whether the service may be used without a key while there are none at all.

        Whoever can connect then can use it: that must be this machine alone, or intended.
        """
        return self.address.is_loopback or self.allow_anonymous

    @property
    def cookies_are_secure(self) -> bool:
        """``secure_cookies``, or what it is if unset."""
        if self.secure_cookies is None:
            return not self.address.is_loopback
        return self.secure_cookies
