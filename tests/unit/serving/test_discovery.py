from __future__ import annotations

from typing import Any

import pytest

from tests.unit.serving.models import info, metadata
from worker.serving import discovery
from worker.serving.errors import BadModelOutput, PredictorRejected, ProfileMismatch
from worker.serving.preparation import Preparation
from worker.serving.profile import ModelProfile
from worker.serving.resolved import ResolvedModel
from worker.serving.stubs.model_pb2 import SignatureDef, TensorInfo
from worker.serving.stubs.prediction_service_pb2 import GetModelMetadataResponse
from worker.serving.stubs.tensor_pb2 import DataType
from worker.serving.tensors import DTYPES

FLOAT, UINT8, STRING = DataType.DT_FLOAT, DataType.DT_UINT8, DataType.DT_STRING
INT32, INT64 = DataType.DT_INT32, DataType.DT_INT64
IMAGE = info(FLOAT, -1, 224, 200, 3)
SCORES = info(FLOAT, -1, 1000)


def profile(**settings: Any) -> ModelProfile:
    values = {"name": "cat", "servable": "cat", "address": "h:1", **settings}
    return ModelProfile.model_validate(values)


def signature(image: TensorInfo | None = None, scores: TensorInfo | None = None) -> SignatureDef:
    return SignatureDef(inputs={"image": image or IMAGE}, outputs={"scores": scores or SCORES})


def resolve(
    response: SignatureDef | GetModelMetadataResponse | None = None,
    *,
    asked: int | None = None,
    labels: tuple[str, ...] | None = None,
    max_rows: int | None = None,
    **settings: Any,
) -> ResolvedModel:
    if not isinstance(response, GetModelMetadataResponse):
        response = metadata({"serving_default": response or signature()})
    return discovery.resolve(
        profile(**settings), response, asked=asked, labels=labels, max_rows=max_rows
    )


def problems(response: SignatureDef | None = None, **settings: Any) -> list[str]:
    with pytest.raises(ProfileMismatch) as caught:
        resolve(response, **settings)
    assert caught.value.detail.startswith("Model 'cat' does not fit its profile: ")
    return list(caught.value.problems)


def test_everything_that_the_server_tells_is_taken_from_it() -> None:
    found = resolve(preprocess="torch", resize="pad", interpolation="area")
    assert (found.name, found.servable, found.version) == ("cat", "cat", 3)
    assert (found.signature, found.input, found.output) == ("serving_default", "image", "scores")
    assert (found.input_size, found.channels) == ((224, 200), 3)
    assert (found.dtype, found.layout) == ("float32", "NHWC")
    assert (found.class_count, found.labels) == (1000, None)
    assert (found.preparation.resize, found.preparation.interpolation) == ("pad", "area")


def test_pixels_are_prepared_as_pillow_does_it_unless_the_profile_says_otherwise() -> None:
    assert resolve().preparation == Preparation()


def test_an_upload_is_prepared_as_a_graph_that_decodes_pictures_does_it() -> None:
    """Its decoders are TensorFlow's: they see neither EXIF nor alpha, and do not antialias."""
    pictures = signature(info(STRING, -1))
    assert resolve(pictures, input_size=[64, 64]).preparation == Preparation(
        library="tensorflow", antialias=False, exif="ignore", alpha="drop", jpeg_dct="fast"
    )
    said = {"resize_library": "pillow", "exif": "apply", "alpha": "black", "jpeg_dct": "accurate"}
    found = resolve(pictures, input_size=[64, 64], **said).preparation
    assert found == Preparation(library="pillow", alpha="black")


def test_a_filter_that_the_library_of_such_a_graph_lacks_is_told() -> None:
    (problem,) = problems(signature(info(STRING, -1)), input_size=[64, 64], interpolation="lanczos")
    assert "tensorflow has no 'lanczos'" in problem
    assert "'lanczos3'" in problem


@pytest.mark.parametrize(
    "change",
    [
        {"resize": "crop"}, {"resize": "short-side", "short_side": 256},
        {"interpolation": "nearest"}, {"resize_library": "torch"},
        {"resize_library": "tensorflow", "antialias": True}, {"exif": "ignore"},
        {"alpha": "drop"}, {"jpeg_dct": "fast"},
    ],
)  # fmt: skip
def test_whatever_makes_the_input_another_makes_the_work_another(change: dict[str, Any]) -> None:
    assert resolve(**change).profile_sha256 != resolve().profile_sha256


@pytest.mark.parametrize(("dtype", "name"), [(FLOAT, "float32"), (UINT8, "uint8")])
@pytest.mark.parametrize(
    ("sizes", "layout", "size", "channels"),
    [
        ((-1, 224, 200, 3), "NHWC", (224, 200), 3),
        ((-1, 224, 200, 1), "NHWC", (224, 200), 1),
        ((-1, 3, 224, 200), "NCHW", (224, 200), 3),
        ((-1, 1, 224, 200), "NCHW", (224, 200), 1),
        ((-1, 3, 3, 3), "NHWC", (3, 3), 3),
    ],
)
def test_layout_size_and_channels_are_read_from_the_shape(
    dtype: int, name: str, sizes: tuple[int, ...], layout: str, size: tuple, channels: int
) -> None:
    found = resolve(signature(info(dtype, *sizes)))
    assert (found.dtype, found.layout, found.input_size, found.channels) == (
        name,
        layout,
        size,
        channels,
    )


def test_the_layout_of_the_profile_decides_where_both_fit() -> None:
    found = resolve(signature(info(FLOAT, -1, 3, 3, 3)), layout="NCHW")
    assert found.layout == "NCHW"


def test_the_profile_fills_what_is_left_open() -> None:
    found = resolve(signature(info(FLOAT, -1, -1, -1, -1)), input_size=(10, 20), channels=1)
    assert (found.input_size, found.channels) == ((10, 20), 1)


def test_the_profile_fills_everything_where_not_even_the_rank_is_known() -> None:
    found = resolve(
        signature(info(FLOAT, unknown_rank=True), info(FLOAT, unknown_rank=True)),
        input_size=(10, 20),
        channels=3,
        layout="NCHW",
        labels=("a", "b"),
    )
    assert (found.input_size, found.channels, found.layout) == ((10, 20), 3, "NCHW")
    assert found.class_count == 2


def test_what_the_profile_repeats_is_no_problem() -> None:
    assert resolve(input_size=(224, 200), channels=3, input="image", output="scores")


def test_encoded_pictures_need_a_size_and_have_three_channels() -> None:
    found = resolve(signature(info(STRING, -1)), input_size=(224, 200))
    assert (found.dtype, found.input_size, found.channels) == ("string", (224, 200), 3)
    (problem,) = problems(signature(info(STRING, -1)))
    assert "set input_size = [height, width]" in problem


@pytest.mark.parametrize(
    ("sizes", "count"),
    [((-1, 10), 10), ((-1, 1), 2), ((-1,), 2), ((1,), 2), ((-1, -1), None)],
)
def test_the_classes_are_counted_and_a_single_unit_is_two(
    sizes: tuple[int, ...], count: int | None
) -> None:
    assert resolve(signature(scores=info(FLOAT, *sizes))).class_count == count


@pytest.mark.parametrize(
    ("image", "settings"),
    [
        (info(FLOAT, -1, 224, 200, 3), {"max_batch_size": 1}),
        (info(FLOAT, 1, 224, 200, 3), {}),
    ],
)
def test_the_scores_of_an_image_alone_may_lack_the_batch_axis(
    image: TensorInfo, settings: dict[str, Any]
) -> None:
    found = resolve(signature(image, scores=info(FLOAT, 10)), **settings)
    assert (found.class_count, found.batch_size) == (10, 1)


@pytest.mark.parametrize("number", sorted(DTYPES))
def test_an_input_of_any_type_that_can_be_written_is_taken(number: int) -> None:
    sizes = (-1,) if number == STRING else (-1, 224, 200, 3)
    found = resolve(signature(info(number, *sizes)), input_size=(224, 200))
    assert found.dtype == DTYPES[number]


def test_labels_tell_the_class_count_that_a_signature_leaves_open() -> None:
    found = resolve(signature(scores=info(FLOAT, -1, -1)), labels=("a", "b", "c"))
    assert (found.class_count, found.labels) == (3, ("a", "b", "c"))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 32),
        ({"max_batch_size": 16}, 16),
        ({"max_batch_size": 16, "max_rows": 4}, 4),
        # 32 MiB of float32 images of 224 x 200 x 3.
        ({"max_batch_size": 4096}, 62),
    ],
)
def test_a_batch_is_what_profile_server_and_memory_allow(
    settings: dict[str, Any], expected: int
) -> None:
    assert resolve(**settings).batch_size == expected


def test_a_signature_of_one_image_a_call_has_batches_of_one() -> None:
    assert resolve(signature(info(FLOAT, 1, 224, 200, 3))).batch_size == 1


def test_an_image_above_the_limit_of_a_call_still_goes_alone() -> None:
    assert resolve(signature(info(FLOAT, -1, 4000, 4000, 3))).batch_size == 1


@pytest.mark.parametrize(
    ("changed", "settings", "words"),
    [
        (signature(), {"input": "img"}, "no input 'img': set input to one of 'image'"),
        (signature(), {"output": "probs"}, "no output 'probs': set output = 'scores'"),
        (signature(), {"input_size": (224, 224)}, "input_size says 224 and the signature 200"),
        (signature(), {"channels": 1}, "channels says 1 and the signature 3"),
        (signature(info(FLOAT, -1, -1, -1, 3)), {}, "set input_size = [height, width]"),
        (signature(info(FLOAT, -1, 9, 9, -1)), {}, "set channels to 1 or 3"),
        (signature(info(FLOAT, -1, 9, 9, 4)), {}, "takes 4 channels"),
        (signature(info(FLOAT, -1, 784)), {}, "(batch, height, width, channels)"),
        (signature(info(STRING, -1, 1)), {"input_size": (9, 9)}, "(batch)"),
        (signature(info(FLOAT, 8, 9, 9, 3)), {}, "takes exactly 8 images"),
        (signature(info(6, -1, 9, 9, 3)), {}, "takes int8: export"),
        (signature(info(DataType.DT_INT32, -1, 9, 9, 3)), {"preprocess": "tf"}, "= 'raw'"),
        (signature(scores=info(FLOAT, 10)), {}, "without a batch axis"),
        (signature(info(UINT8, -1, 9, 9, 3)), {"preprocess": "tf"}, "set preprocess = 'raw'"),
        (signature(info(FLOAT, -1, 9, 9, 1)), {"preprocess": "torch"}, "preprocess is for 3"),
        (
            signature(),
            {"preprocess": {"mean": [1.0], "std": [1.0]}},
            "The input has 3 channel(s) and preprocess is for 1",
        ),
        (signature(scores=info(STRING, -1, 5)), {}, "gives string: export a signature"),
        (signature(scores=info(FLOAT, -1, 7, 7, 5)), {}, "has the shape [-1, 7, 7, 5]"),
        (signature(scores=info(FLOAT)), {}, "has the shape []"),
        (signature(scores=info(FLOAT, -1, 1)), {"activation": "softmax"}, "'sigmoid'"),
        (signature(), {"labels": ("a", "b")}, "has 2 names for 1000 classes"),
        (signature(), {"labels": ()}, "has 0 names for 1000 classes"),
        (signature(scores=info(FLOAT, -1, -1)), {"labels": ()}, "has 0 names for all classes"),
    ],
)
def test_what_cannot_work_is_told_with_its_cure(
    changed: SignatureDef, settings: dict[str, Any], words: str
) -> None:
    (problem,) = problems(changed, **settings)
    assert words in problem


def test_several_tensors_need_a_choice() -> None:
    several = signature()
    several.outputs["features"].CopyFrom(info(FLOAT, -1, 1280))
    (problem,) = problems(several)
    assert "more than one output: set output = 'scores'" in problem
    assert resolve(several, output="scores").class_count == 1000


@pytest.mark.parametrize(
    ("beside", "words"),
    [
        ({"classes": info(STRING, -1, 1000)}, "set output = 'scores'"),
        ({"class_ids": info(INT64, -1)}, "set output = 'scores'"),
        ({"embedding": info(FLOAT, -1, 2048)}, "set output = 'scores'"),
        ({"maps": info(FLOAT, -1, 7, 7, 512)}, "set output = 'scores'"),
        ({"logits": info(FLOAT, -1, 1000)}, "set output to one of 'logits', 'scores'"),
    ],
)
def test_only_outputs_that_may_hold_scores_are_proposed(
    beside: dict[str, TensorInfo], words: str
) -> None:
    several = signature()
    for name, one in beside.items():
        several.outputs[name].CopyFrom(one)
    (problem,) = problems(several)
    assert f"more than one output: {words}." in problem


def test_where_no_output_holds_scores_another_signature_is_the_cure() -> None:
    several = signature(scores=info(STRING, -1, 5))
    several.outputs["ids"].CopyFrom(info(INT64, -1, 5))
    (problem,) = problems(several)
    assert "export a signature that gives the scores" in problem


def test_an_output_of_vectors_is_proposed_where_there_is_nothing_else() -> None:
    several = signature(scores=info(STRING, -1, 5))
    several.outputs["feature_scores"].CopyFrom(info(FLOAT, -1, 5))
    (problem,) = problems(several)
    assert "set output = 'feature_scores'" in problem


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ({"classes": info(STRING, -1, 1000)}, "classes"),
        ({"flags": info(INT64, -1, 1000), "top_classes": info(INT32, -1, 1000)}, "top_classes"),
        ({"classes": info(STRING, -1, 5)}, None),
        ({"class_id": info(INT64, -1)}, None),
        ({"logits": info(FLOAT, -1, 1000)}, None),
        ({"detection_classes": info(FLOAT, -1, 1000)}, "detection_classes"),
        ({"indices": info(DataType.DT_UINT8, -1, 1000)}, "indices"),
    ],
)
def test_the_classes_beside_the_scores_are_known_by_type_and_shape(
    beside: dict[str, TensorInfo], expected: str | None
) -> None:
    several = signature()
    for name, one in beside.items():
        several.outputs[name].CopyFrom(one)
    assert resolve(several, output="scores").class_output == expected


@pytest.mark.parametrize("scores", [info(FLOAT, -1), info(FLOAT, -1, 1)])
@pytest.mark.parametrize("best", [info(INT64, -1), info(STRING, -1, 1)])
def test_the_best_class_beside_its_score_is_known(scores: TensorInfo, best: TensorInfo) -> None:
    several = signature(scores=scores)
    several.outputs["best"].CopyFrom(best)
    assert resolve(several, output="scores").class_output == "best"


def test_inputs_that_we_cannot_fill_are_a_problem() -> None:
    several = signature()
    several.inputs["training"].CopyFrom(info(DataType.DT_INT32))
    (problem,) = problems(several, input="image")
    assert "export a signature that takes nothing else" in problem


def test_a_signature_that_is_not_there_is_told_with_those_that_are() -> None:
    response = metadata({"predict_images": signature(), "__saved_model_init_op": signature()})
    with pytest.raises(ProfileMismatch, match=r"set signature to one of 'predict_images'\.$"):
        resolve(response)


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        signature(info(FLOAT, 8, -1, -1, 3), info(FLOAT, -1, 7, 7, 5)),
        preprocess={"mean": [1.0], "std": [1.0]},
    )
    assert len(found) == 3


def test_a_server_that_tells_no_version_cannot_be_pinned() -> None:
    with pytest.raises(PredictorRejected, match="which version"):
        resolve(metadata({"serving_default": signature()}, version=0))


def test_a_server_that_answers_for_another_version_is_refused() -> None:
    with pytest.raises(BadModelOutput, match="asked for version 4 and answered as 3"):
        resolve(asked=4)


def test_what_is_not_tensorflow_serving_is_rejected() -> None:
    with pytest.raises(PredictorRejected, match="must be TensorFlow Serving"):
        resolve(metadata({}, type_url="type.googleapis.com/something.Else"))
    empty = GetModelMetadataResponse()
    empty.model_spec.version.value = 3
    with pytest.raises(PredictorRejected, match="must be TensorFlow Serving"):
        resolve(empty)
