"""What an operator can set for webhooks; each is ``LIMELIGHT_`` and its name in capitals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from worker.jobs.environment import EnvironmentSettings
from worker.jobs.host_names import canonical_host
from worker.jobs.public_url import PublicSettings
from worker.jobs.settings import StoreSettings
from worker.jobs.tenants import Tenants, TenantsError
from worker.telemetry.endpoint import Address, checked
from worker.webhooks.addresses import USUAL_PORTS, Network, Policy, parse_network

Hosts = Annotated[frozenset[str], NoDecode]


class WebhookSettings(EnvironmentSettings):
    """Where webhooks may go: what web checks at once, and the dispatcher at each try."""

    webhook_allow_http: bool = Field(
        False, description="Whether webhooks may go over http, where anybody on the way reads them."
    )
    webhook_allowed_hosts: Hosts = Field(
        frozenset(),
        description="Hosts, separated by commas, that may be called at any address and port, "
        "internal ones too.",
    )
    webhook_allowed_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        (), description="Networks such as 10.1.0.0/16, separated by commas, that may be called."
    )
    webhook_ports: Annotated[frozenset[int], NoDecode] = Field(
        USUAL_PORTS, description="Ports, separated by commas, at which any host may be called."
    )

    @field_validator("webhook_allowed_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: Any) -> Any:
        try:
            return [canonical_host(name) for name in _from_commas(value)]
        except ValueError as error:
            raise ValueError(
                "must be host names or addresses separated by commas, without scheme, port and path"
            ) from error

    @field_validator("webhook_allowed_networks", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> Any:
        return tuple(parse_network(str(network)) for network in _from_commas(value))

    @field_validator("webhook_ports", mode="before")
    @classmethod
    def _ports(cls, value: Any) -> Any:
        ports = _from_commas(value)
        # What int() says of text that is no number, it says with the text.
        if not all(str(port).isdecimal() and 0 < int(port) < 65_536 for port in ports):  # noqa: PLR2004
            raise ValueError("must be port numbers, separated by commas")
        return [int(port) for port in ports]

    def policy(self) -> Policy:
        """Return the rules for URLs and addresses."""
        return Policy(
            allow_http=self.webhook_allow_http,
            hosts=self.webhook_allowed_hosts,
            networks=self.webhook_allowed_networks,
            ports=self.webhook_ports,
        )


class DispatcherSettings(StoreSettings, WebhookSettings, PublicSettings):
    """Settings of ``limelight-webhooks``."""

    webhook_timeout_s: float = Field(
        15.0, gt=0, le=60, description="How long one try may take, from resolving to the answer."
    )
    webhook_threads: int = Field(64, ge=2, le=1000, description="Tries at a time.")
    webhook_per_host: int = Field(8, ge=1, description="Tries at a time at one host.")
    webhook_ca_file: Path | None = Field(
        None, description="Certificates to trust instead of the public authorities'."
    )
    webhook_metrics_bind: str | None = Field(
        None, description="host:port at which metrics are answered; they are off without."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("webhook_metrics_bind")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        return checked(value)

    @property
    def metrics_address(self) -> Address | None:
        """``webhook_metrics_bind`` in its parts."""
        bind = self.webhook_metrics_bind
        return None if bind is None else Address.parse(bind)


def policies(base: Policy, tenants: Tenants) -> Callable[[str], Policy]:
    """Return where each tenant's webhooks may go.

    Raises
    ------
    TenantsError
        If a network that the file names is none.
    """
    try:
        named = {
            name: base.allowing(tenant.webhook_hosts) for name, tenant in tenants.named.items()
        }
        others = base.allowing(tenants.defaults.webhook_hosts)
    except ValueError as error:
        raise TenantsError((f"webhook_hosts: {error}.",)) from error
    return lambda tenant: named.get(tenant, others)


def _from_commas(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value)
