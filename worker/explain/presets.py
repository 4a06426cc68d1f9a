"""Presets: named sets of options, each the practice of one well-known system.

A preset is data. ``resolve`` lays a request's own options over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_args

from worker.explain.options import (
    BLOCK_SAMPLERS,
    RATED_SAMPLERS,
    ExplanationOptions,
    Picture,
    Style,
)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named set of options.

    Attributes
    ----------
    summary : str
        One sentence: what practice this is.
    options : mapping
        What differs from the defaults of ``ExplanationOptions``.
    overlays : tuple of str
        Styles drawn when the request names none.
    pictures : mapping of str to mapping
        How this preset draws a style, where that differs from the defaults of ``Picture``.
    """

    summary: str
    options: Mapping[str, Any] = field(default_factory=dict)
    overlays: tuple[Style, ...]
    pictures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "default": Preset(
            summary="SLIC segments, orthogonal samples, stops when the answer is settled.",
            overlays=("signed", "heatmap"),
        ),
        "lime": Preset(
            summary="The lime package 0.2.0.1: the same numbers from the same seed.",
            options={
                "segmentation": {"method": "quickshift"},
                "sampler": "lime",
                "stopping": "fixed",
                "feature_selection": "lime-auto",
            },
            overlays=("signed",),
        ),
        "quickshift-ols": Preset(
            summary="The step-by-step notebook: quickshift, 150 samples, least squares.",
            options={
                "segmentation": {"method": "quickshift", "signed_scale": True},
                "sampler": "bernoulli",
                "samples": 150,
                "stopping": "fixed",
                "baseline": {"method": "grey"},
                "surrogate": {"method": "ols"},
            },
            overlays=("highlight",),
            pictures={"highlight": {"top_k": 4}},
        ),
        "slic-heatmap": Preset(
            summary="The MATLAB practice: 75 SLIC superpixels, random keep rates, a heat map.",
            options={
                "segmentation": {"method": "slic", "n_segments": 75, "slic_zero": True},
                "sampler": "random-rate",
                "stopping": "fixed",
                "baseline": {"method": "black"},
                "distance": "hidden-share-of-requested",
                "kernel": "exponential",
                "kernel_width": 0.35,
                "surrogate": {"method": "normalised-ridge"},
            },
            overlays=("heatmap",),
            pictures={"heatmap": {"positive_only": True, "smoothing": 8.0, "colormap": "jet"}},
        ),
        "visualime": Preset(
            summary="The visualime package 0.1.0: 128 samples, half the segments selected.",
            options={
                "segmentation": {
                    "method": "slic",
                    "n_segments": 250,
                    "compactness": 2.0,
                    "sigma": 1.0,
                },
                "sampler": "bernoulli",
                "samples": 128,
                "keep_probability": 0.33,
                "stopping": "fixed",
                "baseline": {"method": "black"},
                "distance": "image",
                "surrogate": {"method": "bayesian-ridge"},
                "feature_selection": "visualime",
            },
            overlays=("signed",),
            pictures={"signed": {"coverage": 0.05}},
        ),
    }
)


def resolve(preset: str, overrides: Mapping[str, Any], *, text: bool = False) -> ExplanationOptions:
    """Lay a request's own options over a preset.

    An object that names the method the preset has, or names none, adjusts the preset's
    parameters; one that names another method replaces them. Null leaves the preset's value.

    Parameters
    ----------
    preset : str
        A name in ``PRESETS``.
    overrides : mapping
        JSON values, as the client sent them.
    text : bool
        Whether the client's values are text (form fields), to be read by the type of their option.

    Raises
    ------
    KeyError
        If there is no such preset.
    pydantic.ValidationError
        If an option is unknown or out of bounds; locations are those of the client's options.
    """
    merged: dict[str, Any] = dict(PRESETS[preset].options)
    overrides = ExplanationOptions.given(overrides)
    if "sampler" in overrides and "stopping" not in overrides and "sampler" not in merged:
        # The default stops early, which only samplers that draw in blocks can do. Naming another
        # sampler must not force the client to know that.
        merged["stopping"] = "settled" if overrides["sampler"] in BLOCK_SAMPLERS else "fixed"
    if "sampler" in overrides and overrides["sampler"] not in RATED_SAMPLERS:
        # Likewise the preset's keep probability, which the sampler named in its place may not take.
        merged.pop("keep_probability", None)
    for name, value in overrides.items():
        base = merged.get(name, _default_of(name))
        merged[name] = _adjust(base, value)
    return ExplanationOptions.model_validate(merged, strict=False if text else None)


def picture(preset: str, request: str | Mapping[str, Any]) -> Picture:
    """One picture as asked for (a style name or an object), over the preset's way to draw it."""
    asked = {"style": request} if isinstance(request, str) else dict(request)
    asked = Picture.given(asked)
    own = PRESETS[preset].pictures.get(str(asked.get("style")), {})
    if {"top_k", "coverage"} & asked.keys():
        own = {name: value for name, value in own.items() if name not in ("top_k", "coverage")}
    return Picture.model_validate({**own, **asked})


def _default_of(name: str) -> Any:
    return ExplanationOptions().model_dump().get(name)


def _adjust(base: Any, value: Any) -> Any:
    if isinstance(value, str):
        return value
    if not (isinstance(base, Mapping) and isinstance(value, Mapping)):
        return value
    if (value.get("method") or base.get("method")) != base.get("method"):
        return dict(value)
    given = {name: one for name, one in value.items() if one is not None or name not in base}
    return {**base, **given}


STYLES: tuple[str, ...] = get_args(Style)
