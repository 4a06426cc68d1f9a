from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from worker.jobs.tenants import TenantsError, load_tenants
from worker.webhooks.addresses import USUAL_PORTS, Policy
from worker.webhooks.settings import DispatcherSettings, WebhookSettings, policies


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


def test_each_tenant_s_webhooks_may_go_to_its_own_hosts_too(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text('[tenants.acme]\nwebhook_hosts = ["hooks.acme.internal", "10.1.0.0/16"]\n')
    policy_of = policies(Policy(allow_http=True), load_tenants(file))
    assert policy_of("acme") == Policy(
        allow_http=True,
        hosts=frozenset({"hooks.acme.internal"}),
        networks=(ip_network("10.1.0.0/16"),),
    )
    assert policy_of("other") == Policy(allow_http=True)


def test_a_tenant_s_network_that_is_none_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text('[defaults]\nwebhook_hosts = ["10.1.2.3/16"]\n')
    with pytest.raises(TenantsError, match=r"webhook_hosts: 10\.1\.2\.3/16 has host bits set"):
        policies(Policy(), load_tenants(file))


@pytest.mark.parametrize(
    "text", ["https://hooks.internal", "hooks.internal:9000", "*", "a b", "[::1"]
)
def test_a_host_that_no_webhook_could_name_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("LIMELIGHT_WEBHOOK_ALLOWED_HOSTS", f"hooks.internal,{text}")
    with pytest.raises(ValidationError, match="must be host names or addresses"):
        WebhookSettings()


@pytest.mark.parametrize("text", ["hooks.internal:9000", "*.internal"])
def test_so_is_one_of_a_tenant(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(f'[tenants.acme]\nwebhook_hosts = ["{text}"]\n')
    with pytest.raises(TenantsError, match=r"webhook_hosts: .* is no host name"):
        policies(Policy(), load_tenants(file))


@pytest.mark.parametrize(
    ("text", "host"),
    [("[::1]", "::1"), ("0:0::1", "::1"), ("b\u00fccher.a", "xn--bcher-kva.a")],
)
def test_a_host_is_the_same_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch, text: str, host: str
) -> None:
    monkeypatch.setenv("LIMELIGHT_WEBHOOK_ALLOWED_HOSTS", text)
    assert WebhookSettings().webhook_allowed_hosts == {host}
