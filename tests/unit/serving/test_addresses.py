from __future__ import annotations

import pytest

from worker.serving.addresses import target_of


@pytest.mark.parametrize(
    ("address", "target", "is_name"),
    [
        ("dns:///models.example:8500", "models.example:8500", True),
        ("dns:models.example:8500", "models.example:8500", True),
        ("dns://10.0.0.53:53/models.example:8500", "models.example:8500", True),
        ("dns:///models.example", "models.example:443", True),
        ("dns:///10.0.0.1:8500", "10.0.0.1:8500", False),
        ("dns:///[fd00::1]:8500", "[fd00::1]:8500", False),
        ("ipv4:10.0.0.1:8500", "10.0.0.1:8500", False),
        ("ipv6:[fd00::1]:8500", "[fd00::1]:8500", False),
    ],
)
def test_an_address_tells_host_and_port(address: str, target: str, is_name: bool) -> None:
    found = target_of(address)
    assert found is not None
    assert (str(found), found.is_name) == (target, is_name)


@pytest.mark.parametrize(
    "address", ["unix:/run/s.sock", "xds:///models", "ipv4:10.0.0.1:1,10.0.0.2:1"]
)
def test_what_has_no_one_host_and_port_tells_none(address: str) -> None:
    assert target_of(address) is None
