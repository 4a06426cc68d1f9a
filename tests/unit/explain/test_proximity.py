from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_distances

from tests.unit.explain.test_perturb import hiding
from worker.explain.errors import KernelTooNarrow
from worker.explain.options import ExplanationOptions
from worker.explain.perturb import batches
from worker.explain.proximity import DISTANCES, KERNELS, proximities

SAMPLES = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0], [0, 1, 1, 1, 1]], dtype=bool)


def distances(name: str, **options) -> np.ndarray:
    return DISTANCES[name](
        SAMPLES, hiding(9, 7, seed=3), ExplanationOptions(stopping="fixed", **options)
    )


def test_cosine_is_the_distance_to_the_row_of_ones():
    expected = cosine_distances(SAMPLES.astype(float), np.ones((1, 5))).ravel()
    np.testing.assert_allclose(distances("cosine"), expected, atol=1e-15)
    assert distances("cosine")[2] == 1.0


def test_hidden_share_counts_segments():
    np.testing.assert_allclose(distances("hidden-share"), [0, 0.6, 1, 0.2])


def test_hidden_share_of_requested_counts_by_the_number_asked_for():
    options = {"segmentation": {"method": "slic", "n_segments": 4}}
    np.testing.assert_allclose(
        distances("hidden-share-of-requested", **options), [-0.25, 0.5, 1, 0]
    )


def test_image_distance_is_the_sum_of_frobenius_norms_of_the_channels():
    what = hiding(9, 7, seed=3)
    (images,) = (
        batch.astype(float).copy() for batch in batches(what, SAMPLES, batch_size=len(SAMPLES))
    )
    norms = np.linalg.norm(images - what.image, axis=(1, 2)).sum(axis=1)
    np.testing.assert_allclose(
        distances("image"), norms / (255 * 3 * np.sqrt(63)), rtol=1e-12, atol=0
    )
    assert 0 < distances("image").max() < 1


def test_uniform_tells_nothing_apart():
    assert not distances("uniform").any()


def test_kernels_fall_from_one():
    where = np.array([0.0, 0.25, 0.5])
    np.testing.assert_allclose(KERNELS["exponential"](where, 0.25), np.exp([0, -1, -4]))
    np.testing.assert_allclose(KERNELS["sqrt-exponential"](where, 0.25), np.exp([0, -0.5, -2]))


def test_a_kernel_that_leaves_nothing_is_refused_with_what_to_change():
    options = ExplanationOptions(kernel_width=0.001)
    with pytest.raises(KernelTooNarrow, match="Raise kernel_width"):
        proximities(SAMPLES[1:], hiding(9, 7), options)
