"""The page through the nginx of docs/proxies.md, with TLS and below a path, in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Response, expect

from deploy.demo.redis_server import LOOPBACK, free_port
from limelight import Client
from tests.integration.browser.conftest import Workshop
from tests.support import nginx, pages
from tests.support.authority import Authority

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

HOST, PREFIX = "example.org", "/explain"
(BLOCK,) = pages.blocks("nginx")
# Settings that the page of the documentation names, and whether nginx takes the path off.
WAYS = {
    "public address, path passed on": ({"public_url": "https://{site}/explain"}, False),
    "public address, path taken off": ({"public_url": "https://{site}/explain"}, True),
    "trusted proxy, path passed on": (
        {"trusted_proxies": LOOPBACK, "trusted_hosts": f"{LOOPBACK},{HOST}"},
        False,
    ),
}


@dataclass(frozen=True)
class Site:
    """What people see: ``https://example.org:port``; the front end behind it; a key."""

    origin: str
    behind: str
    key: str
    ca: Path


@pytest.fixture(scope="module")
def workshop(make_workshop: Callable[[], Workshop]) -> Workshop:
    return make_workshop()


@pytest.fixture(scope="module")
def key(workshop: Workshop) -> str:
    return workshop.key()


@pytest.fixture(scope="module", params=WAYS.values(), ids=WAYS)
def site(
    request: pytest.FixtureRequest,
    workshop: Workshop,
    key: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    settings, takes_off = request.param
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    name = f"{HOST}:{port}"
    told = {setting: text.format(site=name) for setting, text in settings.items()}
    with workshop.web(**told) as url:
        authority = Authority(folder, "nginx")
        certificate, private = authority.issue(HOST)
        here = {
            "listen 443 ssl": f"listen {LOOPBACK}:{port} ssl",
            "/etc/ssl/example.org.pem": str(certificate),
            "/etc/ssl/example.org.key": str(private),
            "proxy_pass http://127.0.0.1:8000": f"proxy_pass {url}{'/' if takes_off else ''}",
        }
        block = BLOCK.text
        for there, replacement in here.items():
            assert there in block
            block = block.replace(there, replacement)
        with nginx.running(folder, block, port=port):
            yield Site(f"https://{name}", url, key, authority.ca)


@pytest.fixture
def make_page(browser: Browser, site: Site) -> Iterator[Callable[[], Page]]:
    """Make pages of people who were never here; whatever they load lies below the path."""
    contexts, strayed = [], []

    def look(answer: Response) -> None:
        if not answer.url.startswith((f"{site.origin}{PREFIX}", "blob:")) or answer.status == 404:
            strayed.append(f"{answer.status} {answer.url}")

    def make() -> Page:
        context = browser.new_context(base_url=site.origin, ignore_https_errors=True)
        contexts.append(context)
        page = context.new_page()
        page.on("response", look)
        return page

    yield make
    for context in contexts:
        context.close()
    assert strayed == []


def sign_in(page: Page, site: Site) -> None:
    page.goto(f"{PREFIX}/")
    page.get_by_label("API key").fill(site.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Why did the model say that?")).to_be_visible()


def all_pictures_are_there(page: Page) -> None:
    # Playwright's own way to wait for this evaluates within the page, whose policy forbids it.
    for _ in range(100):
        if page.evaluate("[...document.images].every((one) => one.hidden || one.complete)"):
            break
        page.wait_for_timeout(100)
    sizes = page.evaluate(
        "[...document.images].filter((one) => !one.hidden).map((one) => one.naturalWidth)"
    )
    assert all(size > 0 for size in sizes)


@pytest.fixture
def slow(workshop: Workshop) -> Iterator[None]:
    """A model that takes long enough for a job to be followed."""
    workshop.model.delay_s = 0.1
    yield
    workshop.model.delay_s = 0.0


@pytest.mark.usefixtures("slow")
def test_from_signing_in_over_an_explanation_to_signing_out(
    make_page: Callable[[], Page], site: Site, image: Path
) -> None:
    page = make_page()
    streams = []
    page.on("request", lambda asked: streams.append(asked.url) if "/events" in asked.url else None)
    sign_in(page, site)
    (cookie,) = page.context.cookies(f"{site.origin}{PREFIX}/")
    assert (cookie["path"], cookie["secure"]) == (PREFIX, True)
    assert page.context.cookies(f"{site.origin}/") == []

    page.set_input_files("#image", image)
    page.get_by_label("or these").focus()
    expect(page.locator("#labels")).to_be_attached()
    page.get_by_role("button", name="Explain this image").click()
    expect(page.locator("#stage[data-ready]")).to_be_visible(timeout=60_000)
    assert streams
    all_pictures_are_there(page)

    page.get_by_role("button", name="Make a link").click()
    link = page.locator("#link")
    expect(link).to_have_value(re.compile(rf"^{re.escape(site.origin)}{PREFIX}/explanations/exp_"))
    guest = make_page()
    guest.goto(link.input_value())
    expect(guest.locator("#stage[data-ready]")).to_be_visible()
    all_pictures_are_there(guest)

    for name in ("History", "Compare", "Explain"):
        page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
        all_pictures_are_there(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title(re.compile("Sign in"))
    assert page.context.cookies(f"{site.origin}{PREFIX}/") == []


def test_answers_of_the_api_lead_on_below_the_path(site: Site, image: Path) -> None:
    with through_nginx(site) as http:
        files = {"image": image.read_bytes()}
        accepted = http.post(f"{PREFIX}/v1/explanations", files=files)
        assert accepted.status_code == 202
        for link in (accepted.headers["Location"], *accepted.json()["links"].values()):
            assert link.startswith(f"{PREFIX}/v1/explanations/")
        assert http.get(accepted.headers["Location"]).json()["id"] == accepted.json()["id"]
        doubled = http.post(f"{PREFIX}/v1//explanations", files=files)
        # Where nginx takes the path off, it also makes one slash of two.
        assert doubled.status_code in (202, 404)
        problem = http.get(f"{PREFIX}/v1/explanations/exp_0").json()["type"]
        assert http.get(problem).json()["type"] == problem


def test_events_are_not_held_back(site: Site, image: Path) -> None:
    with through_nginx(site) as http:
        job = http.post(f"{PREFIX}/v1/explanations", files={"image": image.read_bytes()}).json()
        with http.stream("GET", job["links"]["self"] + "/events") as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            told = "".join(stream.iter_text())
    assert "event: succeeded" in told
    assert f'"self":"{PREFIX}/v1/explanations/' in told


def through_nginx(site: Site) -> httpx.Client:
    """A program at the public address; the name is not looked up here."""
    port = httpx.URL(site.origin).port
    return httpx.Client(
        base_url=f"https://{LOOPBACK}:{port}",
        headers={"Host": f"{HOST}:{port}", "Authorization": f"Bearer {site.key}"},
        verify=False,  # noqa: S501 - It is asked for by its address.
        trust_env=False,
    )


def test_the_client_takes_the_address_with_its_path(workshop: Workshop, image: Path) -> None:
    key = workshop.key()
    with (
        workshop.web(public_url=f"http://{LOOPBACK}{PREFIX}") as url,
        Client(f"{url}{PREFIX}", api_key=key) as client,
    ):
        job = client.explain(image, overlays=["signed"])
        assert client.overlay(job).startswith(b"\x89PNG")
        assert job.links["self"].startswith(PREFIX)
        # gunicorn refuses this before the application sees it.
        refused = httpx.get(f"{url}/{'x' * 9000}", trust_env=False)
        assert refused.json()["type"] == f"{PREFIX}/problems/not-found"
