"""The whole path with a real network behind the stand-in model server: segment to overlay."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.demo.build_models import MODEL_NAME
from deploy.demo.client import photographs
from tests.integration.worker.conftest import Service, StartWorker, told_from
from tests.support.models import IMAGENET_LABELS, efficientnet_lite0, running_model_server
from tests.unit.fakes import make_job

pytestmark = pytest.mark.integration

CAT = 285


def test_a_cat_is_explained_by_its_face_and_not_by_the_background(
    service: Service, start_worker: StartWorker, tmp_path: Path
) -> None:
    models = {MODEL_NAME: efficientnet_lite0()}
    with running_model_server(models, "--max-batch-size", "32") as server:
        models_file = tmp_path / "imagenet.toml"
        models_file.write_text(
            f"[models.{MODEL_NAME}]\n"
            f'address = "dns:///{server.target}"\n'
            f'labels = "{IMAGENET_LABELS}"\n'
        )
        worker = start_worker(LIMELIGHT_MODELS_FILE=str(models_file), model=MODEL_NAME)
        request = make_job(
            model=MODEL_NAME,
            options={"segmentation": {"method": "slic"}, "samples": 256},
            overlays=("boundaries", "highlight", "signed", "heatmap", "sheet"),
        )
        with told_from(worker):
            # A network of this size shares its machine with all of this: give it time.
            job = service.explained(request, photographs()[0].file.read_bytes(), timeout_s=150)
        worker.stop(timeout_s=15)

    assert job.result is not None
    (explanation,) = job.result["explanations"]
    assert (explanation["class_index"], explanation["class_name"]) == (CAT, "Egyptian cat")
    assert explanation["score"] > 0.6
    assert explanation["fidelity"]["r2"] > 0.4
    assert job.result["hidden_score"][str(CAT)] < 0.1
    for style in ("boundaries", "highlight", "signed", "heatmap", "sheet"):
        data = service.artifact(job, f"overlays/{CAT}/{style}.png")
        Image.open(io.BytesIO(data)).verify()
    # The photograph, 451×300, shows the face in its middle, from ear to ear.
    x0, _, x1, _ = explanation["top_segments"][0]["bbox"]
    assert 60 < (x0 + x1) / 2 < 320
    arrays = json.loads(service.artifact(job, "attributions.json"))
    labels = np.asarray(Image.open(io.BytesIO(service.artifact(job, "segments.png"))))
    assert labels.shape == (300, 451)
    assert labels.max() + 1 == arrays["segments"]["count"]
