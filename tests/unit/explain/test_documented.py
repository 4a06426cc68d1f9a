"""The documentation tells every option, method, parameter, picture, and code of a warning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from worker.explain.options import ExplanationOptions, Picture
from worker.explain.presets import PRESETS
from worker.explain.result_warning import WarningCode

DOCS = Path(__file__).resolve().parents[3] / "docs"
DOCUMENT = (DOCS / "explanations.md").read_text()
API = (DOCS / "api.md").read_text()
IMPLIED = {"auto", "method"}  # A colour map that names another; the key that a name stands for.


def names(schema: Any) -> Iterator[str]:
    """Every member and every named value of a JSON schema."""
    if isinstance(schema, list):
        for one in schema:
            yield from names(one)
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        yield from (value for value in schema.get("enum", ()) if isinstance(value, str))
        if isinstance(schema.get("const"), str):
            yield schema["const"]
        for key, value in schema.items():
            if key not in ("enum", "const", "default"):
                yield from names(list(value.values()) if key in ("properties", "$defs") else value)


EVERY = {*names([ExplanationOptions.model_json_schema(), Picture.model_json_schema()]), *PRESETS}


@pytest.mark.parametrize("name", sorted(EVERY - IMPLIED))
def test_a_name_that_may_be_asked_for_is_documented(name: str) -> None:
    assert re.search(rf"[`\"]{re.escape(name)}[`\"]", DOCUMENT)


@pytest.mark.parametrize("code", get_args(WarningCode))
def test_a_code_of_a_warning_is_documented(code: str) -> None:
    assert re.search(
        rf"^\| `{code}` \| (critical|critical, warning|warning|info) \|", API, flags=re.MULTILINE
    )
