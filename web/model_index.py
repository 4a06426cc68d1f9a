"""The model catalogue as requests need it: remembered for a moment, and searched by class name."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from types import MappingProxyType

from web.errors import FieldError, NoModels, NotFound, UnknownClass, UnknownModel, pointer_to
from web.ports import Catalogue
from worker.jobs.catalogue import ModelEntry

_SUGGESTIONS = 5


class ModelIndex:
    """Answers which models and classes there are, asking the catalogue at most every ``ttl_s``."""

    def __init__(
        self, catalogue: Catalogue, *, ttl_s: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._catalogue = catalogue
        self._ttl_s = ttl_s
        self._clock = clock
        self._lock = threading.Lock()
        self._models: Mapping[str, ModelEntry] = MappingProxyType({})
        self._fresh_until = float("-inf")

    def all(self) -> Mapping[str, ModelEntry]:
        """Return the models by name."""
        with self._lock:
            if self._clock() >= self._fresh_until:
                self._models = self._catalogue.models()
                self._fresh_until = self._clock() + self._ttl_s
            return self._models

    def named(self, name: str) -> ModelEntry:
        """Return the model of a path.

        Raises
        ------
        NotFound
            Naming those that exist.
        """
        models = self.all()
        if name not in models:
            raise NotFound(f"There is no such model. {_those_of(models)}")
        return models[name]

    def for_request(self, name: str | None, *, default: str | None) -> ModelEntry:
        """Return the model that a request means.

        Raises
        ------
        NoModels
            If no worker has published any.
        UnknownModel
            If it does not exist, or none was named where there are several.
        """
        models = self.all()
        if not models:
            raise NoModels(
                "No worker has published any models yet. Start a worker with a models.toml."
            )
        wanted = name if name is not None else default
        if wanted is None and len(models) == 1:
            wanted = next(iter(models))
        if wanted is None:
            detail = f"Several models are configured: name one. {_those_of(models)}"
        elif wanted not in models:
            detail = f"There is no model {wanted[:80]!r}. {_those_of(models)}"
        else:
            return models[wanted]
        raise UnknownModel(detail, [FieldError(pointer="/model", detail=detail)])


def resolve_classes(entry: ModelEntry, asked: Sequence[int | str]) -> tuple[int, ...]:
    """Class indices of what a request names by index or by name; each once, in order.

    A name is compared exactly first, then without regard to case.

    Raises
    ------
    UnknownClass
        With the closest names, for each that the model does not have.
    """
    labels = entry.labels or ()
    found: list[int] = []
    wrong: list[FieldError] = []
    for position, item in enumerate(asked):
        index = item if isinstance(item, int) else _index_of(item, labels)
        count = entry.class_count
        if index is None or index < 0 or (count is not None and index >= count):
            detail = _unknown(item, labels=labels, class_count=count)
            wrong.append(FieldError(pointer=pointer_to(["classes", position]), detail=detail))
        else:
            found.append(index)
    if wrong:
        raise UnknownClass(wrong[0].detail, wrong)
    return tuple(dict.fromkeys(found))


def _index_of(name: str, labels: Sequence[str]) -> int | None:
    if name in labels:
        return labels.index(name)
    folded = [label.casefold() for label in labels]
    return folded.index(name.casefold()) if name.casefold() in folded else None


def _unknown(item: int | str, *, labels: Sequence[str], class_count: int | None) -> str:
    if isinstance(item, int):
        bound = "" if class_count is None else f", from 0 to {class_count - 1}"
        return f"{item} is no class index of this model{bound}."
    if not labels:
        return "The model's class names are not known: give class indices."
    by_folded = {label.casefold(): label for label in labels}
    close = difflib.get_close_matches(item[:80].casefold(), by_folded, n=_SUGGESTIONS, cutoff=0.5)
    hint = f" Did you mean: {', '.join(by_folded[name] for name in close)}?" if close else ""
    return f"The model has no class {item[:80]!r}.{hint}"


def _those_of(models: Mapping[str, ModelEntry]) -> str:
    return f"Those that exist: {', '.join(sorted(models)) or 'none yet'}."
