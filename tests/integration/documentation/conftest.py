"""A stack for what the documentation does: real, but for a model that answers at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from PIL import Image

from deploy.demo.build_models import imagenet_class_names
from deploy.demo.client import photographs
from deploy.demo.redis_server import PrivateRedis
from tests.support import web_process
from tests.support.private_redis import private_redis
from tests.support.quadrant_server import QuadrantServer

ROOT = Path(__file__).resolve().parents[3]
# As the documentation calls it, with the classes that it shows.
MODEL = "efficientnet-lite0"
CAT, ESPRESSO = 285, 967
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Stack:
    """What commands and programs of the documentation talk to.

    Attributes
    ----------
    url, redis_url : str
    models_file : Path
        The profiles of its worker.
    job : str
        The id of a job that has ended well.
    """

    url: str
    redis_url: str
    models_file: Path
    job: str

    def environment(self, folder: Path) -> dict[str, str]:
        """Return the environment of a reader who sits in a folder."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("LIMELIGHT_")}
        return {
            **inherited,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LIMELIGHT_URL": self.url,
            "LIMELIGHT_REDIS_URL": self.redis_url,
            "no_proxy": "127.0.0.1,localhost",
        }

    def here(self, text: str) -> str:
        """Put what there is in the place of what the documentation calls it."""
        return text.replace("http://127.0.0.1:8000", self.url).replace("exp_…", self.job)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder: two photographs, and the profile of the first page."""
    made = tmp_path_factory.mktemp("reader")
    (made / "photos").mkdir()
    for photograph in photographs():
        with Image.open(photograph.file) as picture:
            small = picture.convert("RGB").resize((160, 120))
            for name in (f"{photograph.name}.jpg", f"photos/{photograph.name}.jpg"):
                small.save(made / name)
            small.save(made / f"{photograph.name}.png")
    (made / "limelight").mkdir()
    (made / "limelight" / ".venv").symlink_to(sys.prefix)
    return made


@pytest.fixture(scope="session")
def model_server() -> Iterator[QuadrantServer]:
    # The brightest quarter of the cat's photograph is the fourth.
    places = (ESPRESSO, 281, 282, CAT)
    with QuadrantServer(name=MODEL, classes=1000, places=places) as server:
        yield server


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    with private_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory,
    redis: PrivateRedis,
    model_server: QuadrantServer,
    folder: Path,
) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("stack")
    with running(directory, redis.url, model_server, folder / "cat.jpg") as started:
        yield started


@contextmanager
def running(
    directory: Path, redis_url: str, model_server: QuadrantServer, image: Path, code: Path = ROOT
) -> Iterator[Stack]:
    """Run worker and front end, and have one image explained; ``code`` holds the packages."""
    (directory / "labels.txt").write_text("\n".join(imagenet_class_names()))
    models_file = directory / "models.toml"
    models_file.write_text(model_server.profile() + 'labels = "labels.txt"\n')
    settings = {"LIMELIGHT_REDIS_URL": redis_url, "LIMELIGHT_MODELS_FILE": str(models_file)}
    with (
        worker(settings, directory / "worker.log", code),
        web_process.running(redis_url, directory / "web.log", code=code) as url,
        httpx.Client(base_url=url, trust_env=False) as http,
    ):
        wait_until(lambda: any(http.get("/v1/models").json()["models"]))
        files = {"image": image.read_bytes()}
        location = http.post("/v1/explanations", files=files).raise_for_status().headers["Location"]
        wait_until(lambda: http.get(location).json()["status"] == "succeeded")
        yield Stack(url, redis_url, models_file, location.rpartition("/")[2])


@contextmanager
def worker(settings: Mapping[str, str], log: Path, code: Path) -> Iterator[None]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LIMELIGHT_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker.app"],
            cwd=code,
            env={**inherited, "LIMELIGHT_CONCURRENCY": "1", **settings},
            stdout=subprocess.DEVNULL,
            stderr=output,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(40)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)
