"""Every name that the options offer has its function, and no function is without a name."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest
from pydantic import ValidationError

from worker.explain import options
from worker.explain.assessment import RULES
from worker.explain.baselines import BASELINES
from worker.explain.options import ExplanationOptions
from worker.explain.presets import PRESETS, picture, resolve
from worker.explain.proximity import DISTANCES, KERNELS
from worker.explain.samplers import SAMPLERS
from worker.explain.scoring import SCALES
from worker.explain.segments import SEGMENTERS
from worker.explain.selection import SELECTIONS
from worker.explain.surrogate import SURROGATES


def methods(union) -> set[str]:
    """The names of a union of option classes that are told apart by ``method``."""
    classes = get_args(get_args(union)[0])
    return {get_args(one.model_fields["method"].annotation)[0] for one in classes}


@pytest.mark.parametrize(
    ("registry", "names"),
    [
        # The label map of `custom` comes with the request; no function makes it.
        (SEGMENTERS, methods(options.Segmentation) - {"custom"}),
        (BASELINES, methods(options.Baseline)),
        (SURROGATES, methods(options.Surrogate)),
        (SAMPLERS, set(get_args(options.Sampler))),
        (RULES, set(get_args(options.Stopping))),
        (DISTANCES, set(get_args(options.Distance))),
        (KERNELS, set(get_args(options.Kernel))),
        (SELECTIONS, set(get_args(options.FeatureSelection))),
        (SCALES, set(get_args(options.ScoreScale))),
    ],
)
def test_a_registry_has_the_names_of_the_options(registry, names):
    assert set(registry) == names


def test_options_and_presets_load_neither_numpy_nor_scikit_image():
    code = (
        "import sys, worker.explain.presets as presets\n"
        "[presets.resolve(name, {}) for name in presets.PRESETS]\n"
        "print(sorted({'numpy', 'scipy', 'skimage', 'sklearn', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("preset", "segmentation"),
    [
        ("default", {"compactness": 5.0}),
        ("lime", {"ratio": 0.5}),
        ("quickshift-ols", {"ratio": 0.5}),
        ("slic-heatmap", {"sigma": 2.0}),
        ("visualime", {"method": "slic", "slic_zero": True}),
    ],
)
def test_options_of_ones_own_adjust_those_of_a_preset(preset, segmentation):
    adjusted = resolve(preset, {"seed": 9, "segmentation": segmentation})
    expected = resolve(preset, {}).model_dump()
    expected["seed"] = 9
    expected["segmentation"] |= segmentation
    assert adjusted.model_dump() == expected


def test_naming_another_method_replaces_the_parameters_of_the_preset():
    assert resolve("visualime", {"segmentation": "slic"}).segmentation.n_segments is None
    assert resolve("lime", {"segmentation": {"method": "grid", "rows": 3}}).segmentation.rows == 3


@pytest.mark.parametrize(
    ("preset", "style", "drawn"),
    [
        ("quickshift-ols", "highlight", {"top_k": 4}),
        (
            "slic-heatmap",
            "heatmap",
            {"positive_only": True, "smoothing": 8.0, "colormap": "jet"},
        ),
        ("visualime", "signed", {"coverage": 0.05}),
    ],
)
def test_a_preset_draws_its_main_picture_as_its_practice_does(preset, style, drawn):
    assert PRESETS[preset].overlays == (style,)
    assert picture(preset, style) == options.Picture(style=style, **drawn)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("sampler", get_args(options.Sampler))
def test_any_sampler_can_be_named_alone_with_any_preset(preset, sampler):
    assert resolve(preset, {"sampler": sampler}).sampler == sampler


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sampler": "lime", "stopping": "settled"}, "draws all samples at once"),
        ({"sampler": "random-rate", "stopping": "certified"}, "draws all samples at once"),
        ({"sampler": "orthogonal", "keep_probability": 0.3}, "sets its own keep probability"),
        ({"num_features": 3}, "num_features needs a feature_selection"),
        (
            {"segmentation": "grid", "distance": "hidden-share-of-requested"},
            "use 'hidden-share'",
        ),
    ],
)
def test_options_that_do_not_fit_together_are_refused_with_what_to_do(values, said):
    with pytest.raises(ValidationError, match=said):
        ExplanationOptions.model_validate(values)
