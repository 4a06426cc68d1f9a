"""Reading ``models.toml``: every problem is found in one go and told with its cure."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from worker.serving.credentials import read_secret
from worker.serving.errors import ProfileError
from worker.serving.profile import CUSTOM, NAMED, CustomPreprocess, ModelProfile, Tls

__all__ = ["ModelProfile", "load_profiles"]

TLS_FILES = ("ca", "cert", "key")
_TAGS = frozenset({NAMED, CUSTOM})
# The parts that have keys of their own, by the key under which a profile holds them.
_PARTS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {"tls": Tls, "preprocess": CustomPreprocess}
)
_EXAMPLE = '[models.my-model] with address = "dns:///tf-serving:8500"'


def load_profiles(
    path: Path | str, *, environ: Mapping[str, str] | None = None
) -> Mapping[str, ModelProfile]:
    """Read the models file.

    Parameters
    ----------
    path : Path or str
        The file. Relative paths within it start at its directory.
    environ : mapping of str to str, optional
        Where values written ``env:NAME`` are looked up; the environment of the process if None.
        Values written ``file:PATH`` are looked at, and read when calls are made.

    Returns
    -------
    mapping of str to ModelProfile
        By name, in the order of the file.

    Raises
    ------
    ProfileError
        With every problem in the file.
    """
    file = Path(path)
    tables = _tables(file)
    environment = os.environ if environ is None else environ
    profiles: dict[str, ModelProfile] = {}
    problems: list[str] = []
    for name, table in tables.items():
        profile, found = _read(name, table, base=file.resolve().parent, environ=environment)
        problems += [f"{file.name}: [models.{name}] {problem}" for problem in found]
        if profile is not None:
            profiles[name] = profile
    if problems:
        raise ProfileError(tuple(problems))
    return MappingProxyType(profiles)


def _tables(file: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        problem = (
            f"The models file {file} cannot be read ({error.strerror}): create it, or set "
            f"LIMELIGHT_MODELS_FILE to where it is."
        )
        raise ProfileError((problem,)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError((f"{file.name} is not valid TOML: {error}.",)) from error
    problems = [
        f"{file.name}: unknown key {key!r} at the top level; write [models.<name>] tables."
        for key in content
        if key != "models"
    ]
    tables = content.get("models", {})
    if not isinstance(tables, dict) or not tables:
        problems.append(f"{file.name} names no model: add a table such as {_EXAMPLE}.")
    if problems:
        raise ProfileError(tuple(problems))
    return dict(tables)


def _read(
    name: str, table: object, *, base: Path, environ: Mapping[str, str]
) -> tuple[ModelProfile | None, list[str]]:
    """Read one table; return the profile unless it is invalid, and every problem found."""
    if not isinstance(table, dict):
        return None, ["must be a table of keys."]
    if "name" in table:
        return None, ["has a key 'name': the table's own name is the model's name."]
    prepared: dict[str, Any] = {"name": name, "servable": name, **table}
    if isinstance(table.get("labels"), str):
        prepared["labels"] = base / table["labels"]
    if isinstance(table.get("tls"), dict):
        prepared["tls"] = {
            key: base / value if key in TLS_FILES and isinstance(value, str) else value
            for key, value in table["tls"].items()
        }
    problems: list[str] = []
    if isinstance(table.get("metadata"), dict):
        prepared["metadata"], problems = _look_up(table["metadata"], base=base, environ=environ)
    if isinstance(table.get("proxy"), str):
        looked_up, unset = _look_up({"proxy": table["proxy"]}, base=base, environ=environ)
        prepared["proxy"] = looked_up["proxy"] or None
        problems += unset
    try:
        profile = ModelProfile.model_validate(prepared)
    except ValidationError as error:
        findings = error.errors(include_url=False, include_input=False)
        return None, problems + [_sentence(finding) for finding in findings]
    return profile, problems + list(_missing_files(profile))


def _look_up(
    values: Mapping[str, Any], *, base: Path, environ: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Replace ``env:NAME`` by its value and ``file:PATH`` by the path; tell what cannot be had."""
    found = dict(values)
    problems = []
    for key, value in values.items():
        kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
        if kind == "env":
            found[key] = environ.get(name, "")
            if not found[key]:
                problems.append(
                    f"{key}: the environment variable {name} is not set; set it where the worker "
                    f"starts."
                )
        elif kind == "file":
            path = found[key] = base / name
            try:
                read_secret(path)
            except OSError:
                problems.append(
                    f"{key}: there is nothing to read in {path}; paths start at the models file's "
                    f"directory."
                )
            except ValueError as error:
                problems.append(f"{key}: {error}.")
    return found, problems


def _missing_files(profile: ModelProfile) -> Iterator[str]:
    paths = {"labels": profile.labels}
    if profile.tls is not None:
        paths |= {f"tls.{key}": getattr(profile.tls, key) for key in TLS_FILES}
    for key, path in paths.items():
        if path is not None and not path.is_file():
            yield f"{key}: there is no file {path}; paths start at the models file's directory."


def _sentence(finding: ErrorDetails) -> str:
    """Tell one finding of pydantic, never the value: it may be a secret."""
    keys = [part for part in finding["loc"] if isinstance(part, str) and part not in _TAGS]
    where = ".".join(keys)
    if finding["type"] == "extra_forbidden":
        return _unknown_key(keys)
    if finding["type"] == "missing" and where == "address":
        return 'needs an address: add address = "dns:///host:8500".'
    if finding["type"] == "missing":
        return f"{where}: is missing."
    message = finding["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{where}: {message}." if where else f"{message}."


def _unknown_key(keys: list[str]) -> str:
    owner = _PARTS[keys[0]] if len(keys) > 1 else ModelProfile
    known = sorted(set(owner.model_fields) - {"name"})
    close = difflib.get_close_matches(keys[-1], known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown key {'.'.join(keys)!r}: {hint}The keys are {', '.join(known)}."
