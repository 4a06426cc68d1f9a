"""One version of a model, loaded from its SavedModel and ready to answer.

Importing this module imports TensorFlow: start it with `tensorflow_start` before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2

from deploy.demo.serving_error import ServingError, invalid, names

DEFAULT_SIGNATURE: Final = "serving_default"

# The typed field of a TensorProto for each element type; TensorFlow Serving answers with these,
# not with tensor_content, unless it is built otherwise.
_TYPED_FIELDS: Final[Mapping[int, str]] = {
    types_pb2.DT_FLOAT: "float_val",
    types_pb2.DT_DOUBLE: "double_val",
    types_pb2.DT_INT8: "int_val",
    types_pb2.DT_INT16: "int_val",
    types_pb2.DT_INT32: "int_val",
    types_pb2.DT_UINT8: "int_val",
    types_pb2.DT_UINT16: "int_val",
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_BOOL: "bool_val",
    types_pb2.DT_STRING: "string_val",
}
_CODES: Final[Mapping[int, grpc.StatusCode]] = {code.value[0]: code for code in grpc.StatusCode}

Tensors = Mapping[str, tensor_pb2.TensorProto]
_Run = Callable[..., Sequence[NDArray[Any]]]


class Servable:
    """A SavedModel in a TensorFlow session of its own, as TensorFlow Serving holds one.

    Calls may come from several threads. The session, not the object that `tf.saved_model.load`
    gives, because only the session answers as the real server does: it neither casts inputs nor
    checks their shapes, so a wrong tensor fails in the graph, with the message of the kernel.

    Attributes
    ----------
    signatures
        The SavedModel's `SignatureDef`s by name.
    """

    def __init__(self, path: Path) -> None:
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        with graph.as_default(), _no_deprecation_notice():
            meta_graph = tf.compat.v1.saved_model.load(
                self._session, [tf.saved_model.SERVING], str(path)
            )
        self.signatures: Mapping[str, meta_graph_pb2.SignatureDef] = meta_graph.signature_def
        self._runs: dict[tuple[tuple[str, ...], tuple[str, ...]], _Run] = {}

    def predict(
        self, signature_name: str, inputs: Tensors, *, output_filter: Sequence[str], max_batch: int
    ) -> dict[str, tensor_pb2.TensorProto]:
        """Run one signature.

        Parameters
        ----------
        signature_name
            Empty for the default one.
        inputs
            By the names of the signature.
        output_filter
            Names of the outputs wanted; empty for all.
        max_batch
            Most rows that one call may bring; 0 for no limit, which is also no batching.

        Raises
        ------
        ServingError
            With TensorFlow Serving's code and text if the call cannot be answered.
        """
        key = signature_name or DEFAULT_SIGNATURE
        if key not in self.signatures:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{key}" not found.'
            )
        signature = self.signatures[key]
        feeds = _feeds(signature, inputs)
        outputs = _wanted_outputs(signature, output_filter)
        if max_batch:
            _check_batch(list(feeds.values()), max_batch)
        fetches = tuple(signature.outputs[alias].name for alias in outputs)
        arrays = self._run(tuple(feeds), fetches, list(feeds.values()))
        return {
            alias: _typed_proto(array, signature.outputs[alias].dtype)
            for alias, array in zip(outputs, arrays, strict=True)
        }

    def warm_up(self) -> None:
        """Run the default signature once, so that the first caller does not pay for start-up."""
        signature = self.signatures.get(DEFAULT_SIGNATURE)
        if signature is None:
            return
        inputs = {}
        for alias, info in signature.inputs.items():
            dtype = tf.dtypes.as_dtype(info.dtype)
            sizes = [dim.size for dim in info.tensor_shape.dim]
            if dtype == tf.string or any(size < 1 for size in sizes[1:]):
                return  # What a fitting input looks like is not told by such a signature.
            zeros = np.zeros([1, *sizes[1:]][: len(sizes)], dtype=dtype.as_numpy_dtype)
            inputs[alias] = tf.make_tensor_proto(zeros)
        self.predict(DEFAULT_SIGNATURE, inputs, output_filter=(), max_batch=0)

    def _run(
        self, feeds: tuple[str, ...], fetches: tuple[str, ...], arrays: Sequence[NDArray[Any]]
    ) -> Sequence[NDArray[Any]]:
        if (feeds, fetches) not in self._runs:
            options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
            # Session.run is the public way, but it casts and checks in Python; see the class.
            run = self._session._make_callable_from_options(options)  # noqa: SLF001
            self._runs[feeds, fetches] = run
        try:
            return self._runs[feeds, fetches](*arrays)
        except tf.errors.OpError as error:
            code = _CODES.get(error.error_code, grpc.StatusCode.UNKNOWN)
            raise ServingError(code, error.message) from error


def _feeds(signature: meta_graph_pb2.SignatureDef, inputs: Tensors) -> dict[str, NDArray[Any]]:
    """Match the request's tensors to the graph's, as PreProcessPrediction does."""
    sent, wanted = set(inputs), set(signature.inputs)
    if len(sent) != len(wanted):
        raise invalid(
            f"input size does not match signature: {len(sent)}!={len(wanted)} "
            f"len({{{names(sent)}}}) != len({{{names(wanted)}}}). "
            f"Sent extra: {{{names(sent - wanted)}}}. "
            f"Missing but required: {{{names(wanted - sent)}}}."
        )
    feeds = {}
    for alias, info in sorted(signature.inputs.items()):
        if alias not in inputs:
            raise invalid(
                f"Signature input alias: {alias}(feed name: {info.name}) not found in request and "
                "no default value provided. Inputs expected to be in the request "
                f"{{{names(sent)}}}, or default input alias set: "
            )
        try:
            feeds[info.name] = tf.make_ndarray(inputs[alias])
        except (TypeError, ValueError) as error:
            raise invalid(f"tensor parsing error: {alias}") from error
    return feeds


def _wanted_outputs(
    signature: meta_graph_pb2.SignatureDef, output_filter: Sequence[str]
) -> Sequence[str]:
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {{{names(signature.outputs)}}}."
            )
        if output_filter.count(alias) > 1:
            raise invalid(f"duplicate output tensor alias: {alias}")
    return list(output_filter) or sorted(signature.outputs)


def _check_batch(arrays: Sequence[NDArray[Any]], max_batch: int) -> None:
    """Refuse what the batch scheduler would refuse."""
    if any(array.ndim == 0 for array in arrays):
        raise invalid("Batching Run() input tensors must have at least one dimension")
    rows = {len(array) for array in arrays}
    if len(rows) > 1:
        raise invalid("Batching Run() input tensors must have equal 0th-dimension size")
    size = max(rows, default=0)
    if size > max_batch:
        raise invalid(f"Task size {size} is larger than maximum input batch size {max_batch}")


def _typed_proto(array: NDArray[Any], dtype: int) -> tensor_pb2.TensorProto:
    if dtype not in _TYPED_FIELDS:
        return tf.make_tensor_proto(array)
    proto = tensor_pb2.TensorProto(
        dtype=dtype, tensor_shape=tf.TensorShape(np.shape(array)).as_proto()
    )
    getattr(proto, _TYPED_FIELDS[dtype]).extend(np.ravel(array).tolist())
    return proto


@contextmanager
def _no_deprecation_notice() -> Iterator[None]:
    """Keep back the remark that version 1 of the loader is deprecated: it is meant here."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
