"""How near a perturbed image is to the image, and what weight that gives its sample in the fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from worker.explain.errors import KernelTooNarrow
from worker.explain.explanation import Floats, Samples
from worker.explain.options import ExplanationOptions
from worker.explain.perturb import Hiding


def proximities(samples: Samples, hiding: Hiding, options: ExplanationOptions) -> Floats:
    """Weigh samples by kernel(distance).

    Parameters
    ----------
    samples : (N, S) bool
    hiding : Hiding
    options : ExplanationOptions
        ``distance``, ``kernel``, ``kernel_width``; ``segmentation`` for the distance that counts
        in segments asked for.

    Returns
    -------
    (N,) float64

    Raises
    ------
    KernelTooNarrow
        If every weight is zero.
    """
    distance = DISTANCES[options.distance](samples, hiding, options)
    weights = KERNELS[options.kernel](distance, options.kernel_width)
    if not weights.any():
        raise KernelTooNarrow(
            f"With kernel_width {options.kernel_width:g} every sample has weight zero (distances "
            f"start at {distance.min():.3g}). Raise kernel_width."
        )
    return weights


def by_count(hiding: Hiding, options: ExplanationOptions) -> Floats:
    """(S + 1,): the weight of a sample with 0, 1, … S segments kept, for a ``COUNTED`` distance."""
    count = hiding.segment_count
    return proximities(np.tri(count + 1, count, -1, dtype=np.bool_), hiding, options)


def _cosine(samples: Samples, hiding: Hiding, options: ExplanationOptions) -> Floats:
    # The cosine between a row of k ones among S and the row of all ones is √(k/S). A row of
    # zeros has no direction; like scikit-learn we put it at distance 1.
    return np.asarray(1.0 - np.sqrt(samples.mean(axis=1)), dtype=np.float64)


def _hidden_share(samples: Samples, hiding: Hiding, options: ExplanationOptions) -> Floats:
    return np.asarray(1.0 - samples.mean(axis=1), dtype=np.float64)


def _hidden_share_of_requested(
    samples: Samples, hiding: Hiding, options: ExplanationOptions
) -> Floats:
    # Divides by the number of segments that was asked for, not the number that there are, as the
    # practice that this serves does. The options see to it that the segmentation has one.
    requested: int = options.segmentation.n_segments  # type: ignore[union-attr, assignment]
    return np.asarray(1.0 - samples.sum(axis=1) / requested, dtype=np.float64)


def _image(samples: Samples, hiding: Hiding, options: ExplanationOptions) -> Floats:
    """Frobenius norms of the channels' differences, summed, as a share of the largest possible.

    A perturbed image differs from the image only where it shows the baseline, so the squares add
    up over hidden segments and no image has to be built.
    """
    height, width, channels = hiding.picture.shape
    numbers = hiding.segments.ravel()
    energy = np.empty((hiding.segment_count, channels))
    for channel in range(channels):
        shown = hiding.picture[..., channel].astype(np.float64)
        squares = (shown - hiding.baseline[..., channel]) ** 2
        energy[:, channel] = np.bincount(numbers, weights=squares.ravel())
    norms = np.sqrt((~samples).astype(np.float64) @ energy)
    farthest = 255.0 * channels * np.sqrt(height * width)
    return np.asarray(norms.sum(axis=1) / farthest, dtype=np.float64)


def _uniform(samples: Samples, hiding: Hiding, options: ExplanationOptions) -> Floats:
    return np.zeros(len(samples))


DISTANCES: Mapping[str, Callable[[Samples, Hiding, ExplanationOptions], Floats]] = MappingProxyType(
    {
        "cosine": _cosine,
        "hidden-share": _hidden_share,
        "hidden-share-of-requested": _hidden_share_of_requested,
        "image": _image,
        "uniform": _uniform,
    }
)

# Those that depend on nothing but the number of kept segments.
COUNTED = frozenset({"cosine", "hidden-share", "hidden-share-of-requested", "uniform"})


def _exponential(distance: Floats, width: float) -> Floats:
    return np.exp(-(distance**2) / width**2)


def _sqrt_exponential(distance: Floats, width: float) -> Floats:
    return np.sqrt(_exponential(distance, width))


KERNELS: Mapping[str, Callable[[Floats, float], Floats]] = MappingProxyType(
    {"sqrt-exponential": _sqrt_exponential, "exponential": _exponential}
)
