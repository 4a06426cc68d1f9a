"""The ways to prepare a photograph that are tried, and what a profile says for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final, get_args

from worker.serving.preparation import (
    ANTIALIAS,
    INTERPOLATIONS,
    Alpha,
    Exif,
    Interpolation,
    JpegDct,
    Library,
    Preparation,
    PreparationKeys,
    Resize,
    antialias_choices,
)

Filter = tuple[Library, Interpolation, bool]
Shape = tuple[Resize, int | None]
Decoding = tuple[Exif, Alpha, JpegDct]

# What evaluation scripts resize the shorter side to, for an input of 224: 256 nearly always, 232
# in torchvision's later weights, 224 itself, and timm's crop_pct of 0.95 and 0.9.
USUAL_SHORT_SIDE: Final = 256 / 224
OTHER_SHORT_SIDES: Final = (1.0, 232 / 224, 1 / 0.95, 1 / 0.9)
COMMON: Final[tuple[Filter, ...]] = (
    ("pillow", "bilinear", True),
    ("pillow", "bicubic", True),
    ("pillow", "nearest", True),
    ("pillow", "lanczos", True),
    ("tensorflow", "bilinear", False),
    ("tensorflow", "bilinear", True),
    ("tensorflow", "bicubic", False),
)
FEW: Final = (COMMON[0], COMMON[1], COMMON[4])


@dataclass(frozen=True, kw_only=True)
class Photo:
    """What decides which ways there are.

    Attributes
    ----------
    turned : bool
        Whether its EXIF block says that it is not stored upright.
    has_alpha, is_jpeg : bool
    """

    turned: bool
    has_alpha: bool
    is_jpeg: bool


def ways(
    current: Preparation, photo: Photo, *, input_size: tuple[int, int]
) -> tuple[Preparation, ...]:
    """Return the ways that are tried, the profile's own first, then those with fewer keys."""
    tried = [
        _way(decoding, shape, how)
        for decoding in _decodings(current, photo)
        for shape, how in _resizings(input_size)
        # Only TensorFlow decodes with the fast transform, and it resizes what it has decoded.
        if decoding[2] == "accurate" or how[0] == "tensorflow"
    ]
    tried.sort(key=lambda one: len(lines(one, encoded=False)))
    return tuple(dict.fromkeys([current, *tried]))


def common_ways(
    current: Preparation, photo: Photo, *, input_size: tuple[int, int]
) -> tuple[Preparation, ...]:
    """Return the few that are tried with each other form of preprocessing."""
    shapes: list[Shape] = [("stretch", None), ("crop", None), _usual_short_side(input_size)]
    decodings = [one for one in _decodings(current, photo) if one[2] == current.jpeg_dct]
    tried = [_way(*parts) for parts in product(decodings, shapes, FEW)]
    return tuple(dict.fromkeys([current, *tried]))


def _way(decoding: Decoding, shape: Shape, how: Filter) -> Preparation:
    (exif, alpha, jpeg_dct), (resize, short_side), (library, interpolation, antialias) = (
        decoding, shape, how,
    )  # fmt: skip
    return Preparation(
        exif=exif,
        alpha=alpha,
        jpeg_dct=jpeg_dct,
        resize=resize,
        short_side=short_side,
        library=library,
        interpolation=interpolation,
        antialias=antialias,
    )


def _decodings(current: Preparation, photo: Photo) -> list[Decoding]:
    """Return how the photograph may be decoded; what makes no difference to it is left alone."""
    exifs: tuple[Exif, ...] = get_args(Exif) if photo.turned else (current.exif,)
    alphas: tuple[Alpha, ...] = get_args(Alpha) if photo.has_alpha else (current.alpha,)
    dcts: tuple[JpegDct, ...] = get_args(JpegDct) if photo.is_jpeg else (current.jpeg_dct,)
    return list(product(exifs, alphas, dcts))


def _resizings(input_size: tuple[int, int]) -> Iterator[tuple[Shape, Filter]]:
    whole: list[Shape] = [("stretch", None), ("crop", None), ("pad", None)]
    filters = [
        (library, name, antialias)
        for library, names in INTERPOLATIONS.items()
        for name in names
        for antialias in antialias_choices(library, name)
    ]
    yield from product([*whole, _usual_short_side(input_size)], filters)
    others: list[Shape] = [
        ("short-side", round(max(input_size) * factor)) for factor in OTHER_SHORT_SIDES
    ]
    yield from product(others, COMMON)


def _usual_short_side(input_size: tuple[int, int]) -> Shape:
    return "short-side", round(max(input_size) * USUAL_SHORT_SIDE)


def lines(preparation: Preparation, *, encoded: bool) -> list[str]:
    """Return what a profile says for a preparation, as lines of ``models.toml``.

    Parameters
    ----------
    encoded : bool
        Whether the model takes encoded pictures, which has other defaults.
    """
    default = PreparationKeys().preparation(encoded=encoded)
    said = {
        "resize": preparation.resize,
        "short_side": preparation.short_side,
        "resize_library": preparation.library,
        "interpolation": preparation.interpolation,
        "exif": preparation.exif,
        "alpha": preparation.alpha,
        "jpeg_dct": preparation.jpeg_dct,
    }
    unsaid = {**vars(default), "resize_library": default.library}
    found = [f"{key} = {_toml(value)}" for key, value in said.items() if value != unsaid[key]]
    if preparation.antialias != ANTIALIAS[preparation.library]:
        found.append(f"antialias = {_toml(preparation.antialias)}")
    return found


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
