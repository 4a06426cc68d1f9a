"""The schemas of the document: made by pydantic of the models that the code works with."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from web.parsing import FILES
from web.schemas import JobFields, JsonBody, RequestModel

REFERENCE = "#/components/schemas/"
# OpenAPI 3.1 knows files by their media type; generators of clients by the format of 3.0.
BINARY: Mapping[str, str] = MappingProxyType({"type": "string", "format": "binary"})
# What an option is where neither the request nor its preset says so. It is no ``default``: clients
# send those, and would overrule the preset.
PLAIN_DEFAULT = "x-default"
_OVER_PRESET = "OptionsOverPreset"
_ABOUT = ("description", "default", PLAIN_DEFAULT)


class _Plain(GenerateJsonSchema):
    """Without a title for each field, which would only be its name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Say no."""
        return False


class Schemas:
    """Schemas by the types that they are made of; those with a name are components.

    Parameters
    ----------
    types : iterable of type
    """

    def __init__(self, types: Iterable[Any]) -> None:
        wanted = list(dict.fromkeys(types))
        self._schemas, found = TypeAdapter.json_schemas(
            [(kind, "validation", TypeAdapter(kind)) for kind in wanted],
            ref_template=f"{REFERENCE}{{model}}",
            schema_generator=_Plain,
        )
        self.components: dict[str, Any] = found["$defs"]
        self._leave_defaults_to_presets()
        self._tell_of_presets()
        for kind in wanted:
            if isinstance(kind, type) and issubclass(kind, RequestModel):
                _take_null(self.components[kind.__name__])
        _take_null(self.components[_OVER_PRESET])

    def of(self, kind: Any) -> Mapping[str, Any]:
        """Return the schema of a type."""
        return self._schemas[kind, "validation"]

    def _leave_defaults_to_presets(self) -> None:
        """Make remarks of the defaults of whatever is laid over a preset."""
        options = "ExplanationOptions"
        methods = set(re.findall(rf"{REFERENCE}(\w+)", str(self.components[options])))
        for name in (options, "Picture", *methods):
            for field in self.components[name]["properties"].values():
                if "default" in field:
                    field[PLAIN_DEFAULT] = field.pop("default")

    def _tell_of_presets(self) -> None:
        """Let options be said in the short ways that ``presets.resolve`` completes."""
        options = copy.deepcopy(self.components["ExplanationOptions"])
        for name, schema in options["properties"].items():
            if schema.get("discriminator", {}).get("propertyName") == "method":
                options["properties"][name] = self._in_short(schema)
        options["title"] = _OVER_PRESET
        self.components[_OVER_PRESET] = options
        for name in ("JobFields", "JsonBody"):
            asked = self.components[name]["properties"]["options"]
            asked["$ref"] = f"{REFERENCE}{_OVER_PRESET}"

    def _in_short(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        by_name = {
            name: self.components[reference.removeprefix(REFERENCE)]
            for name, reference in schema["discriminator"]["mapping"].items()
        }
        alone = [name for name, found in by_name.items() if found["required"] == ["method"]]
        adjusting = {
            "type": "object",
            "not": {"required": ["method"]},
            "additionalProperties": True,
            "description": "Without `method`: changes parameters of the preset's own.",
        }
        ways = [
            {"type": "string", "enum": alone, "description": "A method with its defaults."},
            {name: schema[name] for name in ("oneOf", "discriminator")},
            adjusting,
        ]
        kept = {name: schema[name] for name in ("description",) if name in schema}
        return {**kept, "anyOf": ways}


def form_schema(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Make the schema of a form: files, and either ``request`` or each field as text.

    Parameters
    ----------
    fields : mapping
        The schema of ``JobFields``.
    """
    file = {**BINARY, "contentMediaType": "application/octet-stream"}
    files = {
        name: {**file, "description": JsonBody.model_fields[name].description} for name in FILES
    }
    nested = [name for name, field in fields["properties"].items() if _is_object(field)]
    texts = {
        name: {"type": "string", "description": field.get("description", "")}
        for name, field in fields["properties"].items()
        if name not in nested
    }
    request = {
        "$ref": f"{REFERENCE}{JobFields.__name__}",
        "description": "All fields together; there are no others beside it then.",
    }
    return {
        "type": "object",
        "properties": {**files, "request": request, **texts},
        # options.samples=500: the dots lead into objects.
        "patternProperties": {rf"^({'|'.join(fields['properties'])})\..+$": {"type": "string"}},
        "required": ["image"],
        "additionalProperties": False,
    }


def _take_null(model: dict[str, Any]) -> None:
    """Let null stand for each field that may be left out.

    Not said of enumerations, though it is so: generators name those by where they stand.
    """
    for name, field in model["properties"].items():
        ways = field.get("anyOf", [field])
        if name in model.get("required", ()) or "enum" in field or {"type": "null"} in ways:
            continue
        kept = {key: field.pop(key) for key in _ABOUT if key in field}
        ways = field.get("anyOf") or [dict(field)]
        field.clear()
        field |= {"anyOf": [*ways, {"type": "null"}], **kept}


def _is_object(field: Mapping[str, Any]) -> bool:
    """Whether a field can only be given by its parts: an object, which may also be null."""
    ways = [way for way in field.get("anyOf", [field]) if way != {"type": "null"}]
    return all("$ref" in way or way.get("type") == "object" for way in ways)
