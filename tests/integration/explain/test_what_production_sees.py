"""A real network answers as it does in production, where a profile says what production does.

The scores are the network's own, for inputs that TensorFlow, Keras and torchvision's rule made of
the same files. What ``tf.image.resize`` leaves in floats is rounded here, which moves a score by up
to a hundredth.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.demo.build_models import MODEL_NAME
from tests.support.models import IMAGENET_LABELS, efficientnet_lite0, running_model_server
from worker.match.command import match
from worker.model_input import decode_for, geometry_for
from worker.serving.model import ServedModel
from worker.serving.profile import ModelProfile

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

TENSORFLOW = {"resize_library": "tensorflow"}
AREA = {"resize_library": "tensorflow", "interpolation": "area"}
KERAS = {"interpolation": "nearest"}
TORCHVISION = {"resize": "short-side", "short_side": 256}
ROUNDING = 0.01


def file(name: str) -> Path:
    return Path(str(resources.files("skimage.data"))) / f"{name}.png"


@pytest.fixture(scope="module")
def profile() -> Iterator[dict[str, Any]]:
    with running_model_server({MODEL_NAME: efficientnet_lite0()}) as server:
        yield {
            "name": "imagenet",
            "servable": MODEL_NAME,
            "address": server.target,
            "labels": IMAGENET_LABELS,
        }


@pytest.mark.parametrize(
    ("name", "keys", "answer", "score"),
    [
        ("chelsea", TENSORFLOW, "Egyptian cat", 0.789),
        ("chelsea", KERAS, "Egyptian cat", 0.769),
        ("chelsea", TORCHVISION, "tiger cat", 0.379),
        ("coffee", TENSORFLOW, "espresso", 0.912),
        ("coffee", AREA, "espresso", 0.902),
        ("coffee", KERAS, "espresso", 0.930),
        ("coffee", TORCHVISION, "espresso", 0.957),
        ("astronaut", TENSORFLOW, "football helmet", 0.225),
        ("astronaut", AREA, "bobsled", 0.228),
        ("astronaut", KERAS, "football helmet", 0.255),
        ("astronaut", TORCHVISION, "bobsled", 0.131),
    ],
)
def test_the_network_answers_as_in_production(
    profile: dict[str, Any], name: str, keys: dict[str, Any], answer: str, score: float
) -> None:
    model = ServedModel(ModelProfile.model_validate({**profile, **keys}))
    resolved = model.resolve(None, timeout_s=30)
    decoded = decode_for(resolved.preparation, file(name).read_bytes())
    geometry = geometry_for(
        resolved, resolved.preparation, upload_size=(decoded.height, decoded.width), orientation=1
    )
    seen = geometry.to_input(np.asarray(decoded.image))[np.newaxis]
    (scores,) = np.concatenate(list(model.predictor(resolved, deadline_s=30)([seen])))
    model.close()
    assert resolved.labels is not None
    assert resolved.labels[int(scores.argmax())] == answer
    assert scores.max() == pytest.approx(score, abs=ROUNDING)


@pytest.mark.parametrize(
    ("name", "scores", "lines"),
    [
        (
            "astronaut",
            ["football helmet=0.2254", "bobsled=0.1394"],
            ['    resize_library = "tensorflow"\n'],
        ),
        ("coffee", ["espresso=0.9301"], ['    interpolation = "nearest"\n']),
        (
            "chelsea",
            ["tiger cat=0.3789"],
            ['    resize = "short-side"\n', "    short_side = 256\n"],
        ),
    ],
)
def test_match_finds_it(
    profile: dict[str, Any],
    name: str,
    scores: list[str],
    lines: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The numbers are production's answers: what people can read off a response."""
    profiles = {"imagenet": ModelProfile.model_validate(profile)}
    code = match(profiles, model="imagenet", photo=file(name), scores=scores)
    told = capsys.readouterr().out
    assert code == os.EX_OK, told
    block = told.partition("in place of such keys there:\n\n")[2].partition("\n\n")[0] + "\n"
    assert block == "".join(lines), told
