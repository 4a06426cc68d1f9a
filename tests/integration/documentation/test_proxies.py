"""Configurations of proxies: what a test can read of those whose programs are not here.

nginx's is carried out by tests/integration/proxies.
"""

from __future__ import annotations

import re

import yaml

from tests.support import manifests, pages
from web.settings import WebSettings
from worker.jobs.public_url import PublicUrl

(CADDY,) = pages.blocks("caddy")
TRAEFIK, INGRESS = (yaml.safe_load(block.text) for block in pages.blocks("yaml"))
(PAGE,) = (page for page in pages.PAGES if page.name == "proxies.md")
SIZE = re.compile(r"(?:client_max_body_size|proxy-body-size:) (\d+)m")


def public() -> PublicUrl:
    found = re.search(r"LIMELIGHT_PUBLIC_URL=(\S+)", PAGE.read_text())
    assert found is not None
    return PublicUrl.parse(found[1])


def test_each_publishes_what_the_setting_of_the_page_says() -> None:
    host, prefix = public().origin.host, public().prefix
    assert f"{host} {{" in CADDY.text
    assert f"handle {prefix}/*" in CADDY.text
    (router,) = TRAEFIK["http"]["routers"].values()
    assert router["rule"] == f"Host(`{host}`) && PathPrefix(`{prefix}`)"
    (rule,) = INGRESS["spec"]["rules"]
    assert (rule["host"], rule["http"]["paths"][0]["path"]) == (host, prefix)


def test_braces_of_caddys_file_are_closed() -> None:
    assert CADDY.text.count("{") == CADDY.text.count("}") > 0


def test_traefiks_router_leads_to_a_service_that_there_is() -> None:
    (router,) = TRAEFIK["http"]["routers"].values()
    assert router["service"] in TRAEFIK["http"]["services"]


def test_the_ingress_is_one_and_leads_to_the_service_of_the_front_end() -> None:
    assert list(manifests.problems(INGRESS)) == []
    services = {
        one["metadata"]["name"]: {port.get("name") for port in one["spec"]["ports"]}
        for path in manifests.files()
        for one in manifests.read(path.read_text())
        if one["kind"] == "Service"
    }
    (path,) = INGRESS["spec"]["rules"][0]["http"]["paths"]
    backend = path["backend"]["service"]
    assert backend["port"]["name"] in services[backend["name"]]


def test_proxies_let_through_what_the_service_takes() -> None:
    sizes = [int(size) for size in SIZE.findall(PAGE.read_text())]
    assert len(sizes) == 2
    assert min(sizes) * 2**20 > WebSettings.model_fields["max_upload_bytes"].default
