from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.explain.pictures import frozen, mosaic
from worker.explain.perturb import Hiding, batches


def hiding(height: int, width: int, *, channels: int = 3, seed: int = 0) -> Hiding:
    rng = np.random.default_rng(seed)
    segments = rng.integers(0, 5, (height, width), dtype=np.int32)
    segments.flat[0] = 4
    return Hiding(
        image=frozen(rng.integers(0, 256, (height, width, channels), dtype=np.uint8)),
        baseline=frozen(rng.integers(0, 256, (height, width, channels), dtype=np.uint8)),
        segments=frozen(segments),
    )


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.sampled_from([1, 3]),
    count=st.integers(0, 11),
    batch_size=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_batches_hold_the_bytes_of_copying_segment_by_segment(
    height, width, channels, count, batch_size, seed
):
    what = hiding(height, width, channels=channels, seed=seed)
    samples = frozen(np.random.default_rng(seed).random((count, 5)) < 0.5)

    made = [batch.copy() for batch in batches(what, samples, batch_size=batch_size)]

    assert all(1 <= len(batch) <= batch_size for batch in made)
    images = [image for batch in made for image in batch]
    assert len(images) == count
    for image, row in zip(images, samples, strict=True):
        slow = what.image.copy()
        for number in np.flatnonzero(~row):
            slow[what.segments == number] = what.baseline[what.segments == number]
        np.testing.assert_array_equal(image, slow)
        assert image.dtype == np.uint8


def test_batches_are_as_few_and_as_equal_as_can_be():
    samples = np.ones((104, 5), dtype=bool)
    sizes = [len(batch) for batch in batches(hiding(4, 4), samples, batch_size=32)]
    assert sizes == [26, 26, 26, 26]


def test_all_batches_share_one_buffer():
    made = list(batches(hiding(6, 6), np.ones((50, 5), dtype=bool), batch_size=8))
    assert len(made) == 7
    assert all(np.shares_memory(batch, made[0]) for batch in made)
    assert made[0].flags.c_contiguous


def test_an_image_that_is_not_contiguous_is_perturbed_alike():
    image = mosaic(8, 6)
    segments = np.arange(48, dtype=np.int32).reshape(8, 6) // 12
    samples = np.eye(4, dtype=bool)
    straight = Hiding(image=image, baseline=np.zeros_like(image), segments=segments)
    turned = Hiding(
        image=np.asfortranarray(image),
        baseline=np.broadcast_to(np.uint8(0), image.shape),
        segments=np.asfortranarray(segments),
    )
    for one, other in zip(
        batches(straight, samples, batch_size=4),
        batches(turned, samples, batch_size=4),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
