"""What `make demo` asks of the service, over HTTP and nothing else: post, poll, fetch."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Self

import httpx

STYLES = ("boundaries", "highlight", "signed", "heatmap", "sheet")
_SAMPLES = {"cat": "chelsea.png", "coffee": "coffee.png", "rocket": "rocket.jpg"}
TERMINAL = frozenset({"succeeded", "failed", "canceled", "expired"})
REQUEST_TIMEOUT_S = 30.0
POLL_S = 0.15


class DemoError(Exception):
    """The service did not do what the demo asked of it. The text is for the person who ran it."""


@dataclass(frozen=True)
class Photograph:
    """A picture to explain and the name of its folder in the output."""

    name: str
    file: Path


def photographs() -> tuple[Photograph, ...]:
    """Find the two photographs that ship inside scikit-image."""
    folder = Path(str(resources.files("skimage.data")))
    return (
        Photograph("cat", folder / "chelsea.png"),
        Photograph("coffee", folder / "coffee.png"),
    )


def fill_samples(folder: Path) -> None:
    """Copy the photographs that the page offers; all of them ship inside scikit-image."""
    source = Path(str(resources.files("skimage.data")))
    folder.mkdir()
    for name, file in _SAMPLES.items():
        shutil.copyfile(source / file, folder / f"{name}{Path(file).suffix}")


class Service:
    """The HTTP API at one address.

    Parameters
    ----------
    address : str
        Such as ``http://127.0.0.1:8000``.
    """

    def __init__(self, address: str) -> None:
        # No proxy of the environment may come between us and our own loopback.
        self._http = httpx.Client(base_url=address, timeout=REQUEST_TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        """Use one connection for all requests."""
        self._http.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._http.close()

    def is_ready(self) -> bool:
        """Whether the service says that it can take jobs."""
        return self.answers("/v2/health/ready")

    def answers(self, path: str) -> bool:
        """Whether a GET of this path succeeds."""
        return self._look(path) is not None

    def has_model(self, name: str) -> bool:
        """Whether a worker has published this model as available."""
        answer = self._look("/v1/models")
        models: Sequence[Mapping[str, Any]] = answer.json()["models"] if answer else ()
        return any(model["name"] == name and model["state"] == "available" for model in models)

    def _look(self, path: str) -> httpx.Response | None:
        """Get what may not be there yet: while a server starts, refusals are to be expected."""
        try:
            answer = self._http.get(path)
        except httpx.TransportError:
            return None
        return answer if answer.is_success else None

    def submit(self, picture: Photograph, styles: Sequence[str], *, classes: int) -> dict[str, Any]:
        """Post a picture; the job as accepted."""
        asked = {
            "classes": {"top": classes},
            # These can be told apart with any colour vision.
            "overlays": [{"style": style, "colours": "blue-orange"} for style in styles],
            "metadata": {"filename": f"{picture.name}{picture.file.suffix}"},
        }
        answer = self._request(
            "POST",
            "/v1/explanations",
            files={"image": (picture.file.name, picture.file.read_bytes())},
            data={"request": json.dumps(asked)},
        )
        job: dict[str, Any] = answer.json()
        return job

    def get(self, path: str) -> bytes:
        """Fetch a resource as it is."""
        return self._request("GET", path).content

    def _request(self, method: str, path: str, **how: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **how)
        except httpx.TransportError as error:
            raise DemoError(f"{method} {path} got no answer: {error}.") from error
        if answer.is_error:
            raise DemoError(f"{method} {path} was refused: {_problem(answer)}")
        return answer


def _problem(answer: httpx.Response) -> str:
    """Quote a problem document, or the bare status where there is none."""
    try:
        problem = answer.json()
        return f"{problem['title']}: {problem['detail']}"
    except (json.JSONDecodeError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}."


@dataclass(frozen=True)
class Finished:
    """A job that succeeded: as bytes just as the API answered it, and parsed."""

    photograph: Photograph
    body: bytes
    job: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """From the POST to the end of the job."""
        created = datetime.fromisoformat(self.job["created_at"])
        finished = datetime.fromisoformat(self.job["finished_at"])
        return (finished - created).total_seconds()


def explain_all(
    service: Service,
    pictures: Sequence[Photograph],
    *,
    classes: int = 1,
    on_progress: Callable[[Photograph, Mapping[str, Any]], None],
    check: Callable[[], None],
    timeout_s: float,
) -> list[Finished]:
    """Post all pictures at once and poll until every job has ended.

    Parameters
    ----------
    service : Service
    pictures : sequence of Photograph
    classes : int
        How many of the top classes to explain.
    on_progress : callable
        Gets the job each time it was polled.
    check : callable
        Called between polls; raises when going on is of no use.
    timeout_s : float
        Limit for all of them together.

    Raises
    ------
    DemoError
        If a job does not succeed, or not in time.
    """
    waiting = {
        picture: f"/v1/explanations/{service.submit(picture, STYLES, classes=classes)['id']}"
        for picture in pictures
    }
    finished: dict[Photograph, Finished] = {}
    deadline = time.monotonic() + timeout_s
    while waiting:
        check()
        for picture, path in list(waiting.items()):
            body = service.get(path)
            job = json.loads(body)
            on_progress(picture, job)
            if job["status"] in TERMINAL:
                _require_success(picture, job)
                finished[picture] = Finished(picture, body, job)
                del waiting[picture]
        if time.monotonic() > deadline:
            raise DemoError(f"The explanations did not end within {timeout_s:.0f} s.")
        time.sleep(POLL_S)
    return [finished[picture] for picture in pictures]


def _require_success(picture: Photograph, job: Mapping[str, Any]) -> None:
    if job["status"] == "succeeded":
        return
    error = job.get("error") or {}
    why = error.get("detail", "the service gave no reason.")
    raise DemoError(f"The job for {picture.file.name} {job['status']}: {why}")


def save(service: Service, done: Finished, folder: Path) -> None:
    """Write ``job.json``, ``attributions.json`` and every overlay of a job into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_bytes(done.body)
    attributions = service.get(f"/v1/explanations/{done.job['id']}/attributions.json")
    (folder / "attributions.json").write_bytes(attributions)
    for explanation in done.job["explanations"]:
        for style, link in explanation["overlays"].items():
            name = f"{explanation['class_index']}-{style}{Path(link).suffix}"
            (folder / name).write_bytes(service.get(link))
