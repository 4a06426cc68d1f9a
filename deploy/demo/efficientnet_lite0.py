"""EfficientNet-Lite0 in Keras: MBConv blocks without squeeze-and-excite, activated by ReLU6.

Architecture: M. Tan and Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", 2019, in the "lite" variant published with TensorFlow's TPU models in 2020. Importing
this module imports Keras.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

INPUT_SIZE: Final = (224, 224)
CLASS_COUNT: Final = 1000
INPUT_NAME: Final = "image"
OUTPUT_NAME: Final = "probabilities"

_STEM_CHANNELS: Final = 32
_HEAD_CHANNELS: Final = 1280
_BATCH_NORM_EPSILON: Final = 1e-3


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """Blocks of one resolution; only the first of them has the stride."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


_STAGES: Final = tuple(
    _Stage(repeats=repeats, kernel=kernel, stride=stride, expand=expand, channels=channels)
    for repeats, kernel, stride, expand, channels in (
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    )
)


@dataclass(frozen=True, kw_only=True)
class _Block:
    """One MBConv block; `name` begins the names of its layers."""

    name: str
    kernel: int
    stride: int
    expand: int
    channels: int


def build_network(weights: Mapping[str, NDArray[Any]]) -> keras.Model:
    """Build the network and put the weights in.

    Parameters
    ----------
    weights
        The state dict: float32 arrays by PyTorch's names, convolutions as (out, in, height, width).

    Returns
    -------
    keras.Model
        From `image`, float32 (N, 224, 224, 3), RGB in 0..255, to a dict with `probabilities`,
        float32 (N, 1000). Normalisation is part of the network.

    Raises
    ------
    KeyError
        If a tensor is missing.
    ValueError
        If a tensor has another shape than the network needs.
    """
    image = keras.Input(shape=(*INPUT_SIZE, 3), dtype="float32", name=INPUT_NAME)
    x = layers.Rescaling(scale=1 / 128, offset=-127 / 128, name="normalise")(image)
    x = _convolve(x, "conv_stem", "bn0", channels=_STEM_CHANNELS, kernel=3, stride=2)
    for block in _blocks():
        x = _mbconv(x, block)
    x = _convolve(x, "conv_head", "bn1", channels=_HEAD_CHANNELS)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    logits = layers.Dense(CLASS_COUNT, name="fc")(x)
    probabilities = layers.Softmax(name=OUTPUT_NAME)(logits)
    network = keras.Model(image, {OUTPUT_NAME: probabilities}, name="efficientnet_lite0")
    _load_weights(network, weights)
    return network


def _blocks() -> Iterator[_Block]:
    number = 0
    for stage in _STAGES:
        for repeat in range(stage.repeats):
            yield _Block(
                name=f"blocks.{number}",
                kernel=stage.kernel,
                stride=stage.stride if repeat == 0 else 1,
                expand=stage.expand,
                channels=stage.channels,
            )
            number += 1


def _mbconv(x: Any, block: _Block) -> Any:
    """Widen, filter each channel by itself, narrow again; add the input where shapes allow."""
    residual = x
    if block.expand != 1:
        channels = block.expand * x.shape[-1]
        x = _convolve(x, f"{block.name}._expand_conv", f"{block.name}._bn0", channels=channels)
    x = layers.DepthwiseConv2D(
        block.kernel,
        strides=block.stride,
        padding="same",
        use_bias=False,
        name=f"{block.name}._depthwise_conv",
    )(x)
    x = layers.ReLU(max_value=6.0)(_normalise(x, f"{block.name}._bn1"))
    x = layers.Conv2D(block.channels, 1, use_bias=False, name=f"{block.name}._project_conv")(x)
    x = _normalise(x, f"{block.name}._bn2")
    return layers.Add()([x, residual]) if x.shape == residual.shape else x


def _convolve(
    x: Any, name: str, norm: str, *, channels: int, kernel: int = 1, stride: int = 1
) -> Any:
    x = layers.Conv2D(channels, kernel, strides=stride, padding="same", use_bias=False, name=name)(
        x
    )
    return layers.ReLU(max_value=6.0)(_normalise(x, norm))


def _normalise(x: Any, name: str) -> Any:
    return layers.BatchNormalization(epsilon=_BATCH_NORM_EPSILON, name=name)(x)


def _load_weights(network: keras.Model, weights: Mapping[str, NDArray[Any]]) -> None:
    for layer in network.layers:
        if layer.weights:
            layer.set_weights([np.ascontiguousarray(w) for w in _layer_weights(layer, weights)])


def _layer_weights(layer: keras.Layer, weights: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Put a layer's tensors in Keras's order and axes."""
    # Layers are named as in the state dict, less the underscore in front: TensorFlow refuses that.
    name = f"_{layer.name}"
    if isinstance(layer, layers.BatchNormalization):
        parts = ("weight", "bias", "running_mean", "running_var")
        return [weights[f"{name}.{part}"] for part in parts]
    weight = weights[f"{name}.weight"]
    if isinstance(layer, layers.Dense):
        return [weight.T, weights[f"{name}.bias"]]
    if isinstance(layer, layers.DepthwiseConv2D):
        return [weight.transpose(2, 3, 0, 1)]
    return [weight.transpose(2, 3, 1, 0)]
