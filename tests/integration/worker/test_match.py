"""``limelight-worker match`` as an operator runs it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image

from tests.integration.serving.server import Serving, image_signature, running, tensor_info
from tests.integration.worker.conftest import ROOT, worker_environment
from tests.support.quadrant_server import QuadrantServer
from tests.unit.fakes import quadrant_scores
from worker.serving import tensors
from worker.serving.stubs.tensor_pb2 import DataType, TensorProto

pytestmark = pytest.mark.integration


def match(
    models: Path, *arguments: str | Path, stdin: Path | None = None
) -> subprocess.CompletedProcess[str]:
    with (stdin or Path(os.devnull)).open("rb") as given:
        return _match(models, *arguments, stdin=given)


def _match(
    models: Path, *arguments: str | Path, stdin: BinaryIO
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "worker.app", "match", *map(str, arguments)],
        cwd=ROOT,
        env=worker_environment({"LIMELIGHT_MODELS_FILE": str(models)}),
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A wide picture that is bright in its north-west and noisy everywhere."""
    pixels = np.random.default_rng(0).integers(0, 90, (90, 160, 3), dtype=np.uint8)
    pixels[:45, :50] += 120
    file = tmp_path / "photo.png"
    Image.fromarray(pixels).save(file)
    return file


@pytest.fixture
def models(tmp_path: Path, model_server: QuadrantServer) -> Path:
    file = tmp_path / "models.toml"
    file.write_text(model_server.profile())
    return file


def test_the_lines_that_reproduce_production_are_written(models: Path, photo: Path) -> None:
    resized = Image.open(photo).resize((32, 32), Image.Resampling.NEAREST)
    scores = quadrant_scores(np.asarray(resized, np.float32)[np.newaxis])[0]
    told = [f"--score={index}={score:.5f}" for index, score in enumerate(scores)]
    done = match(models, photo, "--model", "quadrants", *told, "--tolerance", "0.0001")
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'interpolation = "nearest"' in done.stdout
    assert done.stderr == ""
    piped = match(models, "-", "--model", "quadrants", *told, "--tolerance", "0.0001", stdin=photo)
    assert piped.stdout.partition(":")[2] == done.stdout.partition(":")[2]


def test_scores_of_something_else_end_with_one(models: Path, photo: Path) -> None:
    done = match(models, photo, "--model", "quadrants", "--score", "0=0.999")
    assert done.returncode == 1
    assert "No way that is known here" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["photo.png"], os.EX_USAGE, "--model"),
        (["--model", "quadrants"], os.EX_USAGE, "photo"),
        (["photo.png", "--model", "quadrants"], os.EX_USAGE, "Add --score"),
        (["photo.png", "--model", "quadrants", "--score", "x"], os.EX_USAGE, "CLASS=SCORE"),
        (["photo.png", "--model", "other", "--score", "0=1"], os.EX_USAGE, "It has quadrants"),
        (
            ["photo.png", "--model", "quadrants", "--score", "0=1", "--tolerance", "0"],
            os.EX_USAGE,
            "--tolerance",
        ),
        (["gone.png", "--model", "quadrants", "--score", "0=1"], os.EX_NOINPUT, "cannot be read"),
        (["models.toml", "--model", "quadrants", "--score", "0=1"], os.EX_DATAERR, "PNG, JPEG"),
    ],
)
def test_what_cannot_be_tried_is_told_with_an_exit_code_of_its_own(
    models: Path, photo: Path, arguments: list[str], code: int, says: str
) -> None:
    placed = [
        str(photo.parent / one) if one.endswith((".png", ".toml")) else one for one in arguments
    ]
    done = match(models, *placed)
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_server_that_is_away_is_told(tmp_path: Path, photo: Path) -> None:
    models = tmp_path / "models.toml"
    models.write_text('[models.quadrants]\naddress = "127.0.0.1:1"\n')
    done = match(models, photo, "--model", "quadrants", "--score", "0=1")
    assert done.returncode == os.EX_UNAVAILABLE
    assert "limelight-worker check" in done.stdout


def by_pillow(pictures: TensorProto) -> TensorProto:
    """A graph that decodes pictures, drops alpha and resizes by the nearest pixel."""
    seen = [
        np.asarray(
            Image.open(io.BytesIO(one)).convert("RGB").resize((32, 32), Image.Resampling.NEAREST)
        )
        for one in pictures.string_val
    ]
    return tensors.from_array(quadrant_scores(np.stack(seen)).astype(np.float32))


def test_a_model_of_encoded_pictures_is_asked_itself(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (90, 160, 4), dtype=np.uint8)
    file = tmp_path / "photo.png"
    Image.fromarray(pixels).save(file)
    signature = image_signature(
        image=tensor_info(DataType.DT_STRING, -1), scores=tensor_info(DataType.DT_FLOAT, -1, 4)
    )
    with running(Serving(versions={3: signature}, answer=by_pillow)) as port:
        models = tmp_path / "models.toml"
        models.write_text(
            f'[models.graph]\naddress = "127.0.0.1:{port}"\ninput_size = 32\noutput = "scores"\n'
            'interpolation = "area"\nalpha = "white"\n'
        )
        done = match(models, file, "--model", "graph", "--tolerance", "0.00001")
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'interpolation = "nearest"' in done.stdout
    proposed = done.stdout.partition("in place of such keys there:")[2]
    assert "alpha" not in proposed.partition("What this photo")[0]
