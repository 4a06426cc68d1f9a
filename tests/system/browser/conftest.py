"""Browser pages over the running service."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import chromium

expect.set_options(timeout=15_000)
QUICK = {"samples": 64, "stopping": "fixed"}
JOB_TIMEOUT_S = 90.0


# Playwright's loop runs in this thread as long as it is open, and other tests bring loops of
# their own: it ends with this folder.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def make_page(browser: Browser, service_url: str) -> Iterator[Any]:
    """Make pages, each like a browser that was never here; scripts must not fail in any."""
    contexts = []
    failures: list[str] = []

    def make(**settings: Any) -> Page:
        context = browser.new_context(base_url=service_url, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on(
            "console",
            lambda said: failures.append(said.text) if "Security Policy" in said.text else None,
        )
        return page

    yield make
    for context in contexts:
        context.close()
    assert failures == []


@pytest.fixture
def page(make_page: Any) -> Page:
    opened: Page = make_page()
    return opened


class Api:
    """The service behind the pages, asked for what they should show."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=30)

    def explain(
        self, image: bytes, *, segments: bytes | None = None, **request: Any
    ) -> dict[str, Any]:
        """Have an image explained, quickly; the finished job."""
        files = {"image": ("image.png", image)}
        if segments is not None:
            files["segments"] = ("segments.png", segments)
        asked = {"options": QUICK, "overlays": ["signed"], **request}
        answer = self._http.post(
            "/v1/explanations",
            files=files,
            data={"request": json.dumps(asked)},
        )
        assert answer.status_code == 202, answer.text
        return self.ended(answer.json()["id"])

    def ended(self, job_id: str) -> dict[str, Any]:
        until = time.monotonic() + JOB_TIMEOUT_S
        while time.monotonic() < until:
            job: dict[str, Any] = self._http.get(f"/v1/explanations/{job_id}").json()
            if job["status"] in ("succeeded", "failed", "canceled", "expired"):
                return job
            time.sleep(0.1)
        raise AssertionError("the job did not end")

    def attributions(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._http.get(
            f"/v1/explanations/{job_id}/attributions.json"
        ).json()
        return found

    def labels(self, job_id: str) -> np.ndarray:
        data = self._http.get(f"/v1/explanations/{job_id}/segments.png").content
        return np.asarray(Image.open(io.BytesIO(data)))

    def sample(self, filename: str) -> dict[str, Any]:
        """The job that was there from the start."""
        jobs = self._http.get("/v1/explanations", params={"limit": 100}).json()["explanations"]
        found = next(job for job in reversed(jobs) if job["metadata"].get("filename") == filename)
        return self.ended(found["id"])

    def erase(self, job_id: str) -> None:
        assert self._http.delete(f"/v1/explanations/{job_id}").status_code == 204

    def close(self) -> None:
        self._http.close()


@pytest.fixture(scope="package")
def api(service_url: str) -> Iterator[Api]:
    asked = Api(service_url)
    yield asked
    asked.close()


@pytest.fixture(scope="package")
def cat(api: Api) -> dict[str, Any]:
    """The cat's job; three classes of it are explained."""
    return api.sample("cat.png")
