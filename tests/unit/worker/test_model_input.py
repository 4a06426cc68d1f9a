"""What the model sees of an upload, by its profile, and where people are shown it."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.unit.fakes import FakeBlobs, FakeModel, FakeSeats, FakeStore, make_job, submit
from worker.explain.resampling import FILTERS
from worker.jobs.job import artifact_key
from worker.model_input import decode_for, geometry_for
from worker.ports import Ports
from worker.run_job import run_job
from worker.serving.preparation import INTERPOLATIONS, Preparation

NORTH_WEST, NORTH_EAST = 0, 1
ON_ITS_SIDE = 6


def encoded(image: Image.Image, file_format: str = "PNG", orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, file_format, exif=exif, quality=95)
    return buffer.getvalue()


def explained(image: bytes, preparation: Preparation, *, of: int) -> dict[str, Any]:
    """Explain a class; return the result with the size of the label map."""
    store, blobs = FakeStore(), FakeBlobs()
    model = FakeModel(preparation=preparation)
    job = submit(store, blobs, make_job(classes=(of,)), image)
    ports = Ports(
        store=store, blobs=blobs, seats=FakeSeats(), call=lambda _: True, model=lambda _: model,
        worker="w",
    )  # fmt: skip
    assert run_job(job.ref, ports=ports) == "succeeded"
    result = store.get(job.ref).result
    assert result is not None
    arrays = json.loads(blobs.get(artifact_key(job.ref, 1, "attributions.json")))
    return {**result, "size": (arrays["width"], arrays["height"])}


def centre_of_strongest(result: dict[str, Any]) -> tuple[float, float]:
    x0, y0, x1, y1 = result["explanations"][0]["top_segments"][0]["bbox"]
    return (x0 + x1) / 2, (y0 + y1) / 2


def bright(corner: tuple[slice, slice]) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 60, (40, 60, 3), dtype=np.uint8)
    pixels[corner] += 180
    return Image.fromarray(pixels)


@pytest.mark.parametrize(("exif", "seen_as"), [("apply", NORTH_EAST), ("ignore", NORTH_WEST)])
def test_boxes_lie_where_people_see_them_whichever_way_up_the_model_sees_the_upload(
    exif: Any, seen_as: int
) -> None:
    """Stored, the bright corner is in the north-west; shown, it is in the north-east."""
    image = encoded(bright((slice(20), slice(30))), "JPEG", ON_ITS_SIDE)
    result = explained(image, Preparation(exif=exif), of=seen_as)
    assert result["predictions"][0]["class_index"] == seen_as
    assert result["size"] == (40, 60)
    x, y = centre_of_strongest(result)
    assert x > 20
    assert y < 30


@pytest.mark.parametrize(
    ("alpha", "seen_as"), [("white", NORTH_EAST), ("black", NORTH_WEST), ("drop", NORTH_WEST)]
)
def test_transparent_pixels_are_what_production_makes_of_them(alpha: Any, seen_as: int) -> None:
    """The north-east is transparent and dark, the north-west opaque and grey."""
    pixels = np.random.default_rng(0).integers(0, 40, (40, 60, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[:20, :30, :3] += 90
    pixels[:20, 30:, 3] = 0
    result = explained(encoded(Image.fromarray(pixels)), Preparation(alpha=alpha), of=seen_as)
    assert result["predictions"][0]["class_index"] == seen_as


def test_the_margin_that_short_side_cuts_off_has_no_segment() -> None:
    preparation = Preparation(resize="short-side", short_side=40)
    image = bright((slice(20), slice(30, 60)))
    result = explained(encoded(image), preparation, of=NORTH_EAST)
    for segment in result["explanations"][0]["top_segments"]:
        x0, y0, x1, y1 = segment["bbox"]
        assert (x0 >= 14, y0 >= 4, x1 <= 46, y1 <= 36) == (True,) * 4


def test_the_model_sees_what_its_profile_says() -> None:
    model = FakeModel().resolve(None, timeout_s=1)
    stored = bright((slice(20), slice(30)))
    how = Preparation(library="tensorflow", antialias=False, exif="ignore", jpeg_dct="fast")
    decoded = decode_for(how, encoded(stored, "JPEG", ON_ITS_SIDE))
    geometry = geometry_for(
        model, how, upload_size=(decoded.height, decoded.width), orientation=decoded.orientation
    )
    upright = decode_for(how, encoded(stored, "JPEG"))
    assert np.array_equal(
        geometry.to_input(np.asarray(decoded.image)),
        geometry_for(model, how, upload_size=(40, 60), orientation=1).to_input(
            np.asarray(upright.image)
        ),
    )


def test_profiles_name_the_filters_that_there_are() -> None:
    assert {name: frozenset(names) for name, names in INTERPOLATIONS.items()} == dict(FILTERS)
