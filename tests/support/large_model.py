"""EfficientNet-Lite0 for images of 640 by 640: the demo's network and weights, a larger input.

    python -m tests.support.large_model --out DIR

writes `DIR/efficientnet-lite0-640/1/`. What is there already is kept. Convolutions and the pooling
before the classifier take any size, so it classifies as before, though it was not trained for it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from deploy.demo import build_models
from deploy.demo.tensorflow_start import start_tensorflow

MODEL_NAME: Final = f"{build_models.MODEL_NAME}-640"
INPUT_SIZE: Final = (640, 640)


def build_large_model(directory: Path) -> Path:
    """Make the SavedModel in `directory` if it is not there, and return its base path."""
    small = directory / build_models.MODEL_NAME / "1" / "assets.extra" / "built_from.txt"
    made_from = f"{small.read_text(encoding='utf-8').strip()}, input {INPUT_SIZE}"
    build_models.save_model(directory / MODEL_NAME / "1", _export, made_from=made_from)
    return directory / MODEL_NAME


def _export(target: Path) -> None:
    start_tensorflow()
    import keras  # noqa: PLC0415 - only when there is something to build
    import tensorflow as tf  # noqa: PLC0415

    from deploy.demo import efficientnet_lite0 as lite0  # noqa: PLC0415 - it imports Keras
    from deploy.demo.weights import read_state_dict  # noqa: PLC0415

    small = lite0.build_network(read_state_dict(build_models._weights_file()))
    image = keras.Input(shape=(*INPUT_SIZE, 3), dtype="float32", name=lite0.INPUT_NAME)
    large = keras.models.clone_model(small, input_tensors=image)
    large.set_weights(small.get_weights())
    signature = tf.TensorSpec((None, *INPUT_SIZE, 3), tf.float32, name=lite0.INPUT_NAME)
    large.export(target, format="tf_saved_model", verbose=False, input_signature=[signature])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.support.large_model")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    build_large_model(parser.parse_args().out)
