"""The options as fields of a form: all of them, from the schema alone."""

from __future__ import annotations

import copy

import pytest

from web.site.choices import effective, presets, sections
from worker.explain.options import ExplanationOptions
from worker.explain.presets import PRESETS

SCHEMA = ExplanationOptions.model_json_schema()


def fields(schema=None):
    return {field.path: field for section in sections(schema) for field in section.fields}


def test_every_option_has_a_field_and_a_sentence():
    found = fields()
    assert set(found) == set(SCHEMA["properties"])
    assert [path for path, field in found.items() if not field.help] == []


def test_every_method_brings_its_own_fields():
    methods = {choice.value: choice for choice in fields()["segmentation"].choices}
    assert set(methods) >= {"slic", "quickshift", "grid", "custom"}
    assert [one.name for one in methods["grid"].fields] == [
        "options.segmentation.rows",
        "options.segmentation.columns",
    ]
    rows = methods["grid"].fields[0]
    assert (rows.kind, dict(rows.limits)) == ("integer", {"min": "1", "max": "64"})
    assert all(choice.help for choice in methods.values())


def test_a_new_sampler_and_a_new_option_appear_by_themselves():
    schema = copy.deepcopy(SCHEMA)
    schema["properties"]["sampler"]["enum"].append("sobol")
    schema["properties"]["antialias"] = {"type": "boolean", "description": "Smooth edges."}
    found = fields(schema)
    assert "sobol" in [choice.value for choice in found["sampler"].choices]
    assert (found["antialias"].label, found["antialias"].kind) == ("Antialias", "boolean")
    assert sections(schema)[-1].title == "More"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_has_a_value_for_every_field_that_it_shows(preset):
    own = effective(preset)
    for path, field in fields().items():
        assert path in own
        chosen = [choice for choice in field.choices if choice.value == own[path]]
        inner = [one.path for choice in chosen for one in choice.fields]
        assert set(inner) <= set(own)


def test_values_are_told_as_people_write_them():
    lime = presets()["lime"]
    assert lime["segmentation"] == "quickshift"
    assert lime["segmentation.max_dist"] == "200"
    assert lime["segmentation.signed_scale"] == "no"
    assert lime["num_features"] == "–"
