"""JSON as the API reads it: what is ambiguous or cannot be stored is refused, by name.

Python's parser takes the last of two equal keys, NaN, Infinity, lone surrogates and NUL, and
raises RecursionError on deep nesting. None of these may pass, and none may become a 500.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from web.errors import FieldError, InvalidRequest, MalformedRequest, pointer_to

MAX_DEPTH = 32
# More than any request needs whose metadata is full of commas. Without a bound, 20 MB of JSON
# could become hundreds of megabytes of objects and as many complaints.
MAX_VALUES = 20_000


def loads(data: bytes | str) -> Any:
    """Parse a document.

    Raises
    ------
    MalformedRequest
        If it is no JSON in UTF-8, nested deeper than ``MAX_DEPTH``, has more than about
        ``MAX_VALUES`` values, or an integer of thousands of digits.
    InvalidRequest
        If an object has a key twice, a number is not finite, or a string holds a NUL or a lone
        surrogate.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        _check_size(text)
        document = json.loads(text, object_pairs_hook=_object)
    except RecursionError as error:
        raise MalformedRequest("The JSON is nested too deeply.") from error
    except json.JSONDecodeError as error:
        raise MalformedRequest(
            f"The JSON cannot be read: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from error
    except UnicodeDecodeError as error:
        raise MalformedRequest("The JSON is not UTF-8.") from error
    except ValueError as error:
        # Python refuses to read integers of more than 4300 digits.
        raise MalformedRequest("The JSON holds an integer with too many digits.") from error
    check_values(document)
    return document


def check_values(document: Any) -> None:
    """Refuse strings and numbers that no field accepts, wherever they stand.

    Raises
    ------
    MalformedRequest
        If the document is nested deeper than ``MAX_DEPTH``.
    InvalidRequest
        Naming each offending value by its JSON pointer.
    """
    bad = [
        FieldError(pointer=pointer_to(path), detail=problem)
        for path, value in _values(document)
        if (problem := _problem_of(value)) is not None
    ]
    if bad:
        raise InvalidRequest(bad)


def _check_size(text: str) -> None:
    """Refuse a text by its punctuation, before any object is made of it."""
    if sum(map(text.count, ",[{")) > MAX_VALUES:
        raise MalformedRequest(f"The JSON holds more than {MAX_VALUES} values.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise InvalidRequest(
            [FieldError(pointer=pointer_to([twice[:80]]), detail="stands twice in one object")]
        )
    return found


def _values(document: Any) -> Iterator[tuple[Sequence[str | int], Any]]:
    """Every key, string and number with the path to it."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if len(path) > MAX_DEPTH:
            raise MalformedRequest(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
        if isinstance(value, dict):
            for key, item in value.items():
                yield path, key
                waiting.append(((*path, key), item))
        elif isinstance(value, list):
            waiting.extend(((*path, index), item) for index, item in enumerate(value))
        else:
            yield path, value


def _problem_of(value: Any) -> str | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else "must be a finite number"
    if not isinstance(value, str):
        return None
    if "\0" in value:
        return "holds a NUL character"
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return "holds a lone surrogate, which is no character"
    return None
