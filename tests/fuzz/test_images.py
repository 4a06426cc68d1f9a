"""Images with mistakes: decoded or refused, the same by web and worker, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.bounds import bounded
from tests.fuzz.files import files, originals
from worker.images import (
    MAX_PIXELS,
    BadLabelMap,
    Decoding,
    ImageError,
    decode,
    decode_label_map,
    inspect,
)

TENSORFLOW = Decoding(alpha="drop", jpeg_dct="fast")

# Pillow tells of odd metadata by warnings, which are no errors in the service either.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def judged(look, data):
    try:
        found = look(data)
    except ImageError as error:
        return type(error), str(error)
    return found.width, found.height, found.sha256


@bounded()
@given(data=files())
def test_a_file_with_mistakes_is_decoded_or_refused_as_it_is_inspected(data):
    assert judged(inspect, data) == judged(decode, data)


@bounded()
@given(data=files())
def test_what_is_accepted_is_decoded_as_tensorflow_does_it_too(data):
    assert judged(inspect, data) == judged(lambda one: decode(one, TENSORFLOW), data)


@bounded()
@given(data=files(), how=st.sampled_from([None, TENSORFLOW]))
def test_what_is_decoded_can_be_worked_with(data, how):
    try:
        decoded = decode(data, how)
    except ImageError:
        return
    assert decoded.image.mode == "RGB"
    assert decoded.image.size == (decoded.width, decoded.height)
    assert decoded.width * decoded.height <= MAX_PIXELS
    assert len(decoded.image.tobytes()) == 3 * decoded.width * decoded.height


@bounded()
@given(data=files() | st.binary(max_size=200))
def test_a_label_map_with_mistakes_is_read_or_refused(data):
    try:
        labels = decode_label_map(data, width=48, height=32)
    except BadLabelMap:
        return
    assert labels.mode in ("L", "I;16")
    assert labels.size == (48, 32)


@bounded()
@given(head=st.sampled_from([data[:30] for data in originals()]), rest=st.binary(max_size=400))
def test_bytes_behind_a_good_head_are_decoded_or_refused(head, rest):
    assert judged(inspect, head + rest) == judged(decode, head + rest)
