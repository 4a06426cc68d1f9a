"""Settings of the web process, read once from ``LIMELIGHT_*`` (those of the store are its own)."""

from __future__ import annotations

import ipaddress
import json
from typing import Annotated, Any, Literal

from pydantic import DirectoryPath, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from web.forwarding import Headers, IpNetwork
from worker.jobs.host_names import Origin, checked_hosts
from worker.jobs.public_url import PublicSettings
from worker.telemetry.endpoint import Address, checked


class WebSettings(PublicSettings):
    """What the operator may set. Times are in seconds, sizes in bytes."""

    bind: str = Field("127.0.0.1:8000", description="host:port to listen on.")
    web_metrics_bind: str | None = Field(
        None, description="host:port at which /metrics is answered without a key, and nothing else."
    )
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
        "wherever other machines can connect or the request came over HTTPS.",
    )
    trusted_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("localhost", "127.0.0.1"),
        description="Host names that are answered for, separated by commas; .example.org means "
        "its subdomains too. That of LIMELIGHT_PUBLIC_URL is one by itself.",
    )
    trusted_proxies: Annotated[tuple[IpNetwork, ...], NoDecode] = Field(
        (),
        description="Addresses or networks of reverse proxies, separated by commas: what they say "
        "of a request in their headers is believed.",
    )
    proxy_headers: Headers = Field(
        "x-forwarded",
        description="Which headers the trusted proxies write: x-forwarded (X-Forwarded-For and its "
        "like) or forwarded (RFC 7239).",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins, separated by commas, whose pages may use the API from a browser.",
    )
    image_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Host names, separated by commas, from which images may be fetched that a "
        "request names by their URL; .example.org means its subdomains too. Off if there are none.",
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
    samples_dir: DirectoryPath | None = Field(
        None, description="A folder of photographs that the page offers to try the service with."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    catalogue_ttl_s: float = Field(
        1.5, ge=0, le=60, description="How long the model catalogue is remembered."
    )

    @field_validator("trusted_hosts", "image_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return _listed(value)

    # One that never matches would be missed by nobody but its users.
    @field_validator("trusted_hosts", "image_hosts")
    @classmethod
    def _are_hosts(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return checked_hosts(names)

    @field_validator("trusted_hosts")
    @classmethod
    def _are_some(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names:
            raise ValueError("must name at least one host, or be left unset")
        return names

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _are_origins(cls, value: Any) -> Any:
        try:
            return tuple(str(Origin.parse(text)) for text in _listed(value))
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                "must be origins separated by commas, each scheme, host and perhaps a port, such "
                "as https://app.example.org; there is no * for all"
            ) from error

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _are_networks(cls, value: Any) -> Any:
        try:
            return tuple(ipaddress.ip_network(text) for text in _listed(value))
        except (TypeError, ValueError) as error:
            raise ValueError(
                "must be addresses or networks separated by commas, such as 10.1.2.3 or "
                "10.1.0.0/16; host names are not looked up"
            ) from error

    @field_validator("bind", "web_metrics_bind")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        return checked(value)

    @property
    def address(self) -> Address:
        """``bind`` in its parts."""
        return Address.parse(self.bind)

    @property
    def metrics_address(self) -> Address | None:
        """``web_metrics_bind`` in its parts."""
        return None if self.web_metrics_bind is None else Address.parse(self.web_metrics_bind)

    @model_validator(mode="after")
    def _ports_differ(self) -> WebSettings:
        # Requests are told apart by the port at which they came in.
        if self.metrics_address is not None and self.metrics_address.port == self.address.port:
            raise ValueError(
                "LIMELIGHT_WEB_METRICS_BIND must have another port than LIMELIGHT_BIND"
            )
        return self

    @property
    def fetches_at_once(self) -> int:
        """How many threads of a process may wait for others' servers; the rest keep serving."""
        return max(1, self.web_threads // 2)

    @property
    def admits_anonymous(self) -> bool:
        """Whether the service may be used without a key while there are none at all.

        Whoever can connect then can use it: that must be this machine alone, or intended.
        """
        return self.address.is_loopback or self.allow_anonymous

    @property
    def answered_hosts(self) -> tuple[str, ...]:
        """``trusted_hosts``, and that of ``public_url``."""
        own = () if self.public is None else (self.public.origin.host,)
        return (*self.trusted_hosts, *own)

    @property
    def cookies_are_secure(self) -> bool | None:
        """``secure_cookies``, or what it is if unset; None means as the request came."""
        if self.secure_cookies is not None:
            return self.secure_cookies
        over_tls = self.public is not None and self.public.origin.scheme == "https"
        return True if over_tls or not self.address.is_loopback else None


def _listed(value: Any) -> Any:
    """Read text with commas or JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            # An IPv6 address begins like that, too.
            pass
    return tuple(part.strip() for part in value.split(",") if part.strip())
