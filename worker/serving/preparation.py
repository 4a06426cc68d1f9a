"""How production makes the model's input of an upload, which an explanation has to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from pydantic import Field, model_validator

from worker.serving.profile_part import ProfilePart

Resize = Literal["stretch", "crop", "pad", "short-side"]
Library = Literal["pillow", "tensorflow", "torch", "opencv"]
Interpolation = Literal[
    "nearest", "nearest-exact", "bilinear", "bicubic", "area",
    "hamming", "lanczos", "lanczos3", "lanczos5", "mitchellcubic",
]  # fmt: skip
Exif = Literal["apply", "ignore"]
Alpha = Literal["white", "black", "drop"]
JpegDct = Literal["accurate", "fast"]

MAX_SHORT_SIDE: Final = 8192

# ``worker.explain.resampling`` carries them out; a test holds both tables against each other.
INTERPOLATIONS: Final[Mapping[Library, tuple[Interpolation, ...]]] = MappingProxyType(
    {
        "pillow": ("nearest", "bilinear", "bicubic", "area", "hamming", "lanczos"),
        "tensorflow": (
            "nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5", "mitchellcubic",
        ),
        "torch": ("nearest", "nearest-exact", "bilinear", "bicubic"),
        "opencv": ("nearest", "bilinear", "bicubic", "area"),
    }
)  # fmt: skip
# What their resize does where it is not told.
ANTIALIAS: Final[Mapping[Library, bool]] = MappingProxyType(
    {"pillow": True, "tensorflow": False, "torch": True, "opencv": False}
)
_ONE_WAY: Final[frozenset[Library]] = frozenset({"pillow", "opencv"})
# Filters that are the same with antialias and without.
_INDIFFERENT: Final = frozenset({"nearest", "nearest-exact", "area"})


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """The keys of a profile that make an upload the model's input, defaults filled in.

    Attributes
    ----------
    resize : {"stretch", "crop", "pad", "short-side"}
    short_side : int or None
        Pixels; with ``short-side`` only.
    library : {"pillow", "tensorflow", "torch", "opencv"}
        Whose resize is meant.
    interpolation : str
        One of the library's ``INTERPOLATIONS``.
    antialias : bool
    exif : {"apply", "ignore"}
        Whether the model sees the upload in EXIF orientation.
    alpha : {"white", "black", "drop"}
    jpeg_dct : {"accurate", "fast"}
    """

    resize: Resize = "stretch"
    short_side: int | None = None
    library: Library = "pillow"
    interpolation: Interpolation = "bilinear"
    antialias: bool = True
    exif: Exif = "apply"
    alpha: Alpha = "white"
    jpeg_dct: JpegDct = "accurate"


class PreparationKeys(ProfilePart):
    """Those keys as a profile has them: None takes the default, which depends on the input.

    A graph that takes encoded pictures decodes them itself, by TensorFlow's decoders. What a
    profile leaves open is then TensorFlow's way, else Pillow's.
    """

    resize: Resize = "stretch"
    short_side: int | None = Field(None, ge=1, le=MAX_SHORT_SIDE)
    resize_library: Library | None = None
    interpolation: Interpolation = "bilinear"
    antialias: bool | None = None
    exif: Exif | None = None
    alpha: Alpha | None = None
    jpeg_dct: JpegDct | None = None

    @model_validator(mode="after")
    def _one_short_side(self) -> PreparationKeys:
        if (self.resize == "short-side") != (self.short_side is not None):
            raise ValueError(
                'resize = "short-side" and short_side go together: resize = "short-side", '
                "short_side = 256"
            )
        return self

    @model_validator(mode="after")
    def _what_the_library_can(self) -> PreparationKeys:
        if self.resize_library is not None:
            problem = unable(self.resize_library, self.interpolation, self.antialias)
        elif self.antialias is False and self.interpolation not in _INDIFFERENT:
            problem = _WHOSE
        else:
            able = (one for one in ("pillow", "tensorflow") if self.interpolation in _names(one))
            problem = None if any(able) else unable("pillow", self.interpolation, None)
        if problem is not None:
            raise ValueError(problem)
        return self

    def preparation(self, *, encoded: bool) -> Preparation:
        """Fill in the defaults.

        Parameters
        ----------
        encoded : bool
            Whether the model takes encoded pictures.
        """
        library: Library = self.resize_library or ("tensorflow" if encoded else "pillow")
        return Preparation(
            resize=self.resize,
            short_side=self.short_side,
            library=library,
            interpolation=self.interpolation,
            antialias=ANTIALIAS[library] if self.antialias is None else self.antialias,
            exif=self.exif or ("ignore" if encoded else "apply"),
            alpha=self.alpha or ("drop" if encoded else "white"),
            jpeg_dct=self.jpeg_dct or ("fast" if encoded else "accurate"),
        )


_WHOSE: Final = (
    "antialias: Pillow always antialiases; say whose resize does not: resize_library = "
    "'tensorflow', 'torch' or 'opencv'"
)


def _names(library: Library) -> tuple[Interpolation, ...]:
    return INTERPOLATIONS[library]


def antialias_choices(library: Library, interpolation: Interpolation) -> tuple[bool, ...]:
    """Return the values of antialias that make a difference, the library's default first."""
    default = ANTIALIAS[library]
    one_way = library in _ONE_WAY or interpolation in _INDIFFERENT
    return (default,) if one_way else (default, not default)


def unable(library: Library, interpolation: Interpolation, antialias: bool | None) -> str | None:
    """Say what a library cannot do, with the cure; None if it can."""
    if interpolation not in INTERPOLATIONS[library]:
        others = [name for name, names in INTERPOLATIONS.items() if interpolation in names]
        return (
            f"interpolation: {library} has no {interpolation!r}: set it to one of "
            f"{', '.join(map(repr, INTERPOLATIONS[library]))}, or resize_library to "
            f"{' or '.join(map(repr, others))}"
        )
    cannot_choose = library in _ONE_WAY and interpolation not in _INDIFFERENT
    if cannot_choose and antialias not in (None, ANTIALIAS[library]):
        if library == "pillow":
            return _WHOSE
        return "antialias: OpenCV's resize never antialiases: remove antialias from the profile"
    return None
