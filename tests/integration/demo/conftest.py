"""A model of a few numbers, so that most tests of the model server need no real network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf

from deploy.demo.servicers import make_server
from tests.integration.demo.calls import Calls
from tests.support.models import efficientnet_lite0, running_model_server


@pytest.fixture(scope="session")
def tiny_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel: uint8 (N, 2, 2, 3) to sums (N,), rows and names; `strings` tells lengths."""

    class Tiny(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 2, 2, 3], tf.uint8, name="image")])
        def sums(self, image):
            rows = tf.reduce_sum(tf.cast(image, tf.int64), axis=[1, 2, 3])
            return {
                "share": tf.cast(rows, tf.float32) / 3060.0,
                "rows": rows,
                "names": tf.strings.as_string(rows),
            }

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="data")])
        def lengths(self, data):
            return {"length": tf.strings.length(data)}

    module = Tiny()
    path = tmp_path_factory.mktemp("tiny") / "version"
    signatures = {"serving_default": module.sums, "strings": module.lengths}
    tf.saved_model.save(module, str(path), signatures=signatures)
    return path


@pytest.fixture
def tiny(tmp_path: Path, tiny_version: Path) -> Callable[..., Path]:
    """Make a base path with these versions of the tiny model; calling it again adds to them."""
    base_path = tmp_path / "tiny"

    def add(*versions: int) -> Path:
        base_path.mkdir(exist_ok=True)
        for version in versions:
            (base_path / str(version)).symlink_to(tiny_version)
        return base_path

    return add


@pytest.fixture
def serving() -> Iterator[Callable[..., Calls]]:
    """Serve models in this process: `serving(models, max_batch_size=2)` gives a client."""
    servers: list[grpc.Server] = []
    channels: list[grpc.Channel] = []

    def serve(models: Any, *, max_batch_size: int = 0) -> Calls:
        server, _ = make_server(models, calls_at_once=2, max_batch_size=max_batch_size)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        channels.append(grpc.insecure_channel(f"127.0.0.1:{port}"))
        return Calls(channels[-1])

    yield serve
    for channel in channels:
        channel.close()
    for server in servers:
        server.stop(None).wait()


@pytest.fixture(scope="session")
def lite0() -> Iterator[Calls]:
    """EfficientNet-Lite0 in a server process, label `stable`, at most 32 images a call."""
    models = {"lite0": efficientnet_lite0()}
    options = ("--max-batch-size", "32", "--labels", "lite0:stable=1")
    with running_model_server(models, *options) as server:
        limits = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(server.target, options=limits) as channel:
            yield Calls(channel)


@pytest.fixture
def image() -> np.ndarray:
    """Two images of the tiny model, with sums 66 and 210."""
    return np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
