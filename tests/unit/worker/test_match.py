"""``limelight-worker match`` finds what production did to a photograph, from a score or two."""

from __future__ import annotations

import io
import os
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.unit.fakes import resolved_model
from worker.match.search import NOT_REPRODUCED, Search
from worker.match.wanted import SLACK, BadScore, Wanted, read_wanted
from worker.match.ways import Photo, lines, ways
from worker.serving.errors import BadModelOutput
from worker.serving.preparation import Preparation
from worker.serving.preprocess import affine, to_float
from worker.serving.profile import ModelProfile
from worker.serving.profiles import load_profiles

SIDE = 32
CLASSES = 5
WEIGHTS = np.random.default_rng(1).normal(0, 0.02, (SIDE * SIDE * 3, CLASSES))
MODEL = replace(resolved_model(version=3, labels=None), class_count=CLASSES, dtype="float32")
PROFILE = ModelProfile.model_validate({"name": "m", "servable": "m", "address": "h:1"})


def answer(floats: np.ndarray) -> np.ndarray:
    """What the network makes of its input (n, H, W, C): a softmax that sees every pixel."""
    logits = floats.reshape(len(floats), -1).astype(np.float64) @ WEIGHTS / 200
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


class Network:
    """Scores pixels as a model server with that network and a profile does."""

    def __init__(self) -> None:
        self.images = 0

    def __call__(self, inputs: Sequence[np.ndarray], **changes: Any) -> np.ndarray:
        self.images += len(inputs)
        if changes.get("activation") == "sigmoid":
            raise BadModelOutput("one unit that is no probability")
        profile = PROFILE.model_copy(update=changes)
        batch = np.stack([one.astype(np.float32) for one in inputs])
        return answer(to_float(batch, affine(profile.preprocess), layout="NHWC"))


def photograph(mode: str = "RGB", size: tuple[int, int] = (300, 200)) -> Image.Image:
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 256, (11, 14, len(mode)), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(coarse, mode).resize(size, Image.Resampling.BICUBIC))
    noise = rng.integers(-30, 30, picture.shape)
    return Image.fromarray((picture + noise).clip(0, 255).astype(np.uint8), mode)


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(photograph(), "JPEG", quality=95, exif=exif)


def wanted_of(image: Image.Image | np.ndarray) -> list[Wanted]:
    """Production's scores of all classes for what it gives the network."""
    (scores,) = answer(np.asarray(image, np.float32)[np.newaxis])
    return [Wanted(one, f"class {one}", float(scores[one]), 1e-6) for one in range(3)]


def search(data: bytes, wanted: list[Wanted], **profile: Any) -> tuple[int, str]:
    out = io.StringIO()
    preparation = PROFILE.model_copy(update=profile).preparation(encoded=False)
    model = replace(MODEL, preparation=preparation)
    code = Search(PROFILE, model, data, wanted, score=Network()).run("photo", out)
    return code, out.getvalue()


def proposed(told: str) -> dict[str, Any]:
    """The lines for the profile, read as TOML."""
    assert "in place of such keys there:\n\n" in told, told
    block = told.partition("in place of such keys there:\n\n")[2].partition("\n\n")[0]
    return tomllib.loads("\n".join(line.strip() for line in block.splitlines()))


def test_what_production_does_is_found() -> None:
    picture = photograph()
    by = Image.Resampling
    # 37 is to 32 what 256 is to 224.
    resized = picture.resize((int(37 * 300 / 200), 37), by.BILINEAR)
    cases: list[tuple[bytes, Image.Image, dict[str, Any]]] = [
        (encoded(picture), picture.resize((SIDE, SIDE), by.NEAREST), {"interpolation": "nearest"}),
        (
            encoded(picture),
            ImageOps.fit(picture, (SIDE, SIDE), by.BICUBIC),
            {"resize": "crop", "interpolation": "bicubic"},
        ),
        (
            encoded(picture),
            resized.crop((12, 2, 44, 34)),
            {"resize": "short-side", "short_side": 37},
        ),
        (
            turned(),
            Image.open(io.BytesIO(turned())).resize((SIDE, SIDE), by.BILINEAR),
            {"exif": "ignore"},
        ),
        (
            encoded(photograph("RGBA")),
            photograph("RGBA").convert("RGB").resize((SIDE, SIDE), by.BILINEAR),
            {"alpha": "drop"},
        ),
    ]
    for data, seen, expected in cases:
        code, told = search(data, wanted_of(seen))
        assert code == os.EX_OK, told
        assert proposed(told) == expected, told


def test_a_profile_that_is_right_is_told_so() -> None:
    picture = photograph()
    seen = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    code, told = search(encoded(picture), wanted_of(seen))
    assert code == os.EX_OK
    assert "[models.quadrants] reproduces production as it is." in told
    assert "in place of" not in told


def test_keys_that_are_too_many_are_told_to_go() -> None:
    picture = photograph()
    seen = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    code, told = search(encoded(picture), wanted_of(seen), resize="pad")
    assert code == os.EX_OK
    assert "remove them" in told


@pytest.mark.parametrize(
    ("preprocess", "expected"),
    [
        ("tf", "tf"),
        ("caffe", "caffe"),
        ({"mean": [0.0] * 3, "std": [255.0] * 3, "order": "BGR"}, None),
    ],
)
def test_preprocessing_is_tried_where_no_resize_gives_the_scores(
    preprocess: Any, expected: str | None
) -> None:
    profile = ModelProfile.model_validate(
        {"name": "m", "servable": "m", "address": "h:1", "preprocess": preprocess}
    )
    picture = photograph()
    seen = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS))[np.newaxis]
    floats = to_float(seen, affine(profile.preprocess), layout="NHWC")[0]
    code, told = search(encoded(picture), wanted_of(floats))
    assert code == os.EX_OK, told
    assert "other preprocess and activation are tried" in told
    found = proposed(told)
    assert found["preprocess"] == (preprocess if expected is None else expected)


def test_where_nothing_gives_the_scores_the_nearest_and_other_reasons_are_told() -> None:
    code, told = search(encoded(photograph()), [Wanted(0, "a", 5.0, 0.001)])
    assert code == NOT_REPRODUCED
    assert "The nearest would be" in told
    assert "the model's version" in told


def test_what_the_photograph_cannot_tell_is_told_with_one_that_can() -> None:
    picture = Image.new("RGB", (40, 40), (90, 120, 30))
    code, told = search(encoded(picture), wanted_of(picture.resize((SIDE, SIDE))))
    assert code == os.EX_OK
    assert "reproduces production as it is" in told
    for key in ("resize: one that is far from square", "several times larger", "exif:", "alpha:",
                "jpeg_dct:"):  # fmt: skip
        assert key in told
    _, told = search(turned(), wanted_of(Image.open(io.BytesIO(turned())).resize((SIDE, SIDE))))
    assert "exif: one" not in told
    assert "jpeg_dct:" not in told


def test_one_score_is_said_to_be_little() -> None:
    picture = photograph()
    seen = wanted_of(picture.resize((SIDE, SIDE), Image.Resampling.NEAREST))
    assert "by chance" in search(encoded(picture), seen[:1])[1]
    assert "by chance" not in search(encoded(picture), seen)[1]


def test_the_same_pixels_are_scored_once() -> None:
    network = Network()
    model = replace(MODEL, preparation=Preparation())
    picture = Image.new("RGB", (300, 200), (90, 120, 30))
    seen = wanted_of(picture.resize((SIDE, SIDE)))
    Search(PROFILE, model, encoded(picture), seen, score=network).run("photo", io.StringIO())
    # All of one colour, but for the padding.
    assert network.images < 12


@pytest.mark.parametrize("encoded_input", [False, True])
def test_the_lines_say_what_was_tried(tmp_path: Path, encoded_input: bool) -> None:
    photo = Photo(turned=True, has_alpha=True, is_jpeg=True)
    file = tmp_path / "models.toml"
    for way in ways(Preparation(), photo, input_size=(224, 224)):
        said = lines(way, encoded=encoded_input)
        file.write_text("\n".join(['[models.m]\naddress = "h:1"', *said]))
        assert load_profiles(file)["m"].preparation(encoded=encoded_input) == way


@pytest.mark.parametrize(
    ("text", "index", "score", "tolerance"),
    [
        ("espresso=0.561", 1, 0.561, 0.0005),
        ("ESPRESSO = 56.1%", 1, 0.561, 0.0005),
        ("1=0.5", 1, 0.5, 0.05),
        ("a=b=0.25", 4, 0.25, 0.005),
        ("crane=-2.25", None, 0, 0),
        ("2=-2.25", 2, -2.25, 0.005),
    ],
)
def test_a_score_is_read_as_it_is_typed(
    text: str, index: int | None, score: float, tolerance: float
) -> None:
    labels = ["cup", "espresso", "crane", "crane", "a=b"]
    if index is None:
        with pytest.raises(BadScore, match="one of 2, 3"):
            read_wanted(text, labels=labels, class_count=5)
        return
    found = read_wanted(text, labels=labels, class_count=5)
    assert (found.index, found.score) == (index, pytest.approx(score))
    assert found.tolerance == pytest.approx(tolerance + SLACK)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("espresso", "write CLASS=SCORE"),
        ("=0.5", "write CLASS=SCORE"),
        ("espresso=high", "is no number"),
        ("espresso=nan", "is no number"),
        ("expresso=0.5", "Did you mean 'espresso'"),
        ("7=0.5", "there is no class 7"),
    ],
)
def test_a_score_that_cannot_be_read_is_told_with_its_cure(text: str, says: str) -> None:
    with pytest.raises(BadScore, match=says):
        read_wanted(text, labels=["cup", "espresso"], class_count=2)


def test_a_name_needs_labels() -> None:
    with pytest.raises(BadScore, match="has no labels"):
        read_wanted("cup=0.5", labels=None, class_count=2)
