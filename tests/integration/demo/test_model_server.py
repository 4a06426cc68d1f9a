"""The server as a process, with real networks."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import grpc
import numpy as np
import pytest
import skimage.data
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image

from tests.integration.demo.calls import Calls
from tests.support import dog_model
from tests.support.models import dog_breeds, running_model_server

pytestmark = pytest.mark.integration


def at_size(photograph: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    resized = Image.fromarray(photograph).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.float32)[np.newaxis]


@pytest.mark.parametrize(
    ("photograph", "class_index", "score"), [("chelsea", 285, 0.77), ("coffee", 967, 0.90)]
)
def test_the_converted_weights_know_the_photographs(lite0, photograph, class_index, score):
    image = at_size(getattr(skimage.data, photograph)(), (224, 224))
    response = lite0.predict("lite0", {"image": image}, label="stable")
    scores = np.array(response.outputs["probabilities"].float_val)
    assert scores.shape == (1000,)
    assert scores.sum() == pytest.approx(1.0, abs=1e-5)
    assert int(scores.argmax()) == class_index
    assert scores.max() == pytest.approx(score, abs=0.03)


def test_an_image_scores_the_same_in_any_batch(lite0):
    cat = at_size(skimage.data.chelsea(), (224, 224))
    alone = lite0.predict("lite0", {"image": cat}).outputs["probabilities"]
    batch = np.concatenate([np.zeros_like(cat), cat, 255 - cat])
    among = lite0.predict("lite0", {"image": batch}).outputs["probabilities"]
    rows = np.array(among.float_val).reshape(3, 1000)
    np.testing.assert_allclose(rows[1], alone.float_val, atol=1e-5)


def test_a_batch_of_19_megabytes_is_taken_and_one_more_image_refused(lite0):
    full = np.zeros((33, 224, 224, 3), np.float32)
    response = lite0.predict("lite0", {"image": full[:32]})
    assert response.outputs["probabilities"].tensor_shape.dim[0].size == 32
    with pytest.raises(grpc.RpcError, match="Task size 33 is larger than maximum input batch"):
        lite0.predict("lite0", {"image": full})


def test_health_says_serving(lite0):
    answer = health_pb2_grpc.HealthStub(lite0.channel).Check(
        health_pb2.HealthCheckRequest(), timeout=5
    )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_the_dog_network_is_served_under_the_names_that_keras_chose():
    with (
        running_model_server({"dogs": dog_breeds()}) as server,
        grpc.insecure_channel(server.target) as channel,
    ):
        image = at_size(skimage.data.chelsea(), dog_model.INPUT_SIZE) / 127.5 - 1
        (output,) = Calls(channel).predict("dogs", {"input_layer_1": image}).outputs.values()
    assert len(output.float_val) == len(dog_model.BREEDS)
    assert sum(output.float_val) == pytest.approx(1.0, abs=1e-5)


def test_versions_follow_the_folder_and_sigterm_ends_it_well(tiny, image):
    base_path = tiny(1)
    quiet = ("--poll-seconds", "600")
    with (
        running_model_server({"tiny": base_path}, *quiet) as server,
        grpc.insecure_channel(server.target) as channel,
    ):
        calls = Calls(channel)
        assert server.versions == {"tiny": [1]}
        assert calls.predict("tiny", {"image": image}).model_spec.version.value == 1
        tiny(2)
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while calls.predict("tiny", {"image": image}).model_spec.version.value != 2:
            assert time.monotonic() < deadline, "version 2 has not been loaded"
            time.sleep(0.05)
        server.process.terminate()
        assert server.process.wait(timeout=20) == 0


def test_a_port_in_use_is_told_in_a_sentence(lite0, tiny):
    target = lite0.channel._channel.target().decode()
    port = target.rpartition(":")[2]
    command = [sys.executable, "-m", "deploy.demo.model_server", "--port", port]
    result = subprocess.run(
        [*command, "--model", f"tiny={tiny(1)}"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert f"cannot listen on 127.0.0.1:{port}: another program uses the port" in result.stderr
