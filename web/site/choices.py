"""The options of an explanation as the fields of a form, made of the schema that checks them.

A new sampler, segmentation or option appears here by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.explain.options import ExplanationOptions
from worker.explain.presets import PRESETS, resolve

# Which options stand together. What is not named here stands at the end.
_SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Segments", ("segmentation",)),
    ("Hidden segments", ("baseline",)),
    ("Samples", ("sampler", "samples", "keep_probability", "stopping", "control_variates", "seed")),
    ("Measures", ("score_scale", "insertion_deletion")),
    (
        "Fit",
        ("surrogate", "distance", "kernel", "kernel_width", "feature_selection", "num_features"),
    ),
)
_REST = "More"
_METHOD = "method"
# Names that do not read well as they are.
_LABELS: Mapping[str, str] = {
    "n_segments": "Number of segments",
    "max_dist": "Largest distance",
    "slic_zero": "SLIC zero",
    "num_features": "Segments to keep",
    "insertion_deletion": "Insertion and deletion",
    "samples": "Most samples",
    "stopping": "Stop early",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A value that may be chosen, and the fields that it brings along."""

    value: str
    help: str = ""
    fields: tuple[OptionField, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class OptionField:
    """One option.

    Attributes
    ----------
    path : str
        Where it stands among the options: ``segmentation.n_segments``.
    kind : str
        ``integer``, ``number``, ``boolean``, ``choice`` or ``text``.
    limits : mapping of str to str
        Attributes of the input: ``min``, ``max``, ``step``, ``pattern``.
    """

    path: str
    label: str
    help: str
    kind: str
    limits: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()

    @property
    def name(self) -> str:
        """The name of the form field."""
        return f"options.{self.path}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Options that belong together."""

    title: str
    fields: tuple[OptionField, ...]


def sections(schema: Mapping[str, Any] | None = None) -> tuple[Section, ...]:
    """Return all options.

    Parameters
    ----------
    schema : mapping or None
        JSON schema of an object; that of ``ExplanationOptions`` if None.
    """
    document = ExplanationOptions.model_json_schema() if schema is None else schema
    properties, known = document["properties"], document.get("$defs", {})
    named = {name for _, names in _SECTIONS for name in names}
    rest = tuple(name for name in properties if name not in named)
    return tuple(
        Section(title=title, fields=_fields(names, properties, known))
        for title, names in (*_SECTIONS, (_REST, rest))
        if any(name in properties for name in names)
    )


def effective(preset: str) -> Mapping[str, str]:
    """Return the options of a preset as text, by their paths."""
    return dict(flattened(resolve(preset, {}).model_dump(mode="json")))


def presets() -> Mapping[str, Mapping[str, str]]:
    """Return what each preset stands for."""
    return {name: effective(name) for name in PRESETS}


def flattened(options: Mapping[str, Any], *, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each option's path and its value as text; ``segmentation`` stands for its method."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from flattened(value, prefix=f"{prefix}{name}.")
        else:
            path = prefix.removesuffix(".") if name == _METHOD else f"{prefix}{name}"
            yield path, _text(value)


def label_of(path: str) -> str:
    """Return what people call an option: its last name, in words."""
    name = path.rpartition(".")[2]
    words = name.replace("_", " ")
    return _LABELS.get(name, words[:1].upper() + words[1:])


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _fields(
    names: Sequence[str], properties: Mapping[str, Any], known: Mapping[str, Any], prefix: str = ""
) -> tuple[OptionField, ...]:
    return tuple(
        _field(f"{prefix}{name}", properties[name], known) for name in names if name in properties
    )


def _field(path: str, schema: Mapping[str, Any], known: Mapping[str, Any]) -> OptionField:
    schema = _resolved(schema, known)
    choices = _choices(path, schema, known)
    return OptionField(
        path=path,
        label=label_of(path),
        help=schema.get("description", "").replace("``", "`"),
        kind="choice" if choices else _kind(schema),
        limits=_limits(schema),
        choices=choices,
    )


def _choices(path: str, schema: Mapping[str, Any], known: Mapping[str, Any]) -> tuple[Choice, ...]:
    if "enum" in schema:
        return tuple(Choice(value=str(value)) for value in schema["enum"])
    made = []
    for one in schema.get("oneOf", ()):
        method = _resolved(one, known)
        properties = method["properties"]
        names = [name for name in properties if name != _METHOD]
        made.append(
            Choice(
                value=properties[_METHOD]["const"],
                help=method.get("description", "").replace("``", "`"),
                fields=_fields(names, properties, known, prefix=f"{path}."),
            )
        )
    return tuple(made)


def _resolved(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference, and take of a value that may be null the kind that it has otherwise."""
    while "$ref" in schema:
        schema = {**known[schema["$ref"].rpartition("/")[2]], **_without(schema, "$ref")}
    some = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(some) == 1:
        return {**_resolved(some[0], known), **_without(schema, "anyOf")}
    return schema


def _without(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != name}


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    return kind if kind in ("integer", "number", "boolean") else "text"


def _limits(schema: Mapping[str, Any]) -> Mapping[str, str]:
    limits = {"step": "any"} if schema.get("type") == "number" else {}
    for name, keys in (("min", ("minimum", "exclusiveMinimum")), ("max", ("maximum",))):
        found = [schema[key] for key in keys if key in schema]
        if found:
            limits[name] = f"{found[0]:g}" if isinstance(found[0], float) else str(found[0])
    if "pattern" in schema:
        limits["pattern"] = schema["pattern"].strip("^$")
    return limits
