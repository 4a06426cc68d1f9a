from __future__ import annotations

from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from worker.webhooks.addresses import USUAL_PORTS, Policy
from worker.webhooks.settings import DispatcherSettings, WebhookSettings


def test_nothing_internal_is_allowed_unless_it_is_set() -> None:
    assert WebhookSettings().policy() == Policy(
        allow_http=False, hosts=frozenset(), networks=(), ports=USUAL_PORTS
    )


def test_hosts_networks_and_ports_are_read_from_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMELIGHT_WEBHOOK_ALLOW_HTTP", "true")
    monkeypatch.setenv("LIMELIGHT_WEBHOOK_ALLOWED_HOSTS", "Hooks.internal, 127.0.0.1,")
    monkeypatch.setenv("LIMELIGHT_WEBHOOK_ALLOWED_NETWORKS", "10.1.0.0/16,fd12::/32")
    monkeypatch.setenv("LIMELIGHT_WEBHOOK_PORTS", "443, 9443")
    assert DispatcherSettings().policy() == Policy(
        allow_http=True,
        hosts=frozenset({"hooks.internal", "127.0.0.1"}),
        networks=(ip_network("10.1.0.0/16"), ip_network("fd12::/32")),
        ports=frozenset({443, 9443}),
    )


def test_a_network_with_host_bits_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMELIGHT_WEBHOOK_ALLOWED_NETWORKS", "10.1.2.3/16")
    with pytest.raises(ValidationError, match="host bits"):
        WebhookSettings()
