"""The model catalogue as requests need it: remembered for a moment, and searched by class name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

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
        self._remembered: tuple[float, Mapping[str, ModelEntry]] = (float("-inf"), {})

    def all(self) -> Mapping[str, ModelEntry]:
        """Return the models by name.

        Threads that find them out of date at once each ask: a lock would make them wait for one
        another's timeouts while Redis is away.
        """
        fresh_until, models = self._remembered
        # That there is none is not remembered: the first worker may tell at any moment, and whoever
        # has seen this service ready is not to be refused by another of its processes.
        if not models or self._clock() >= fresh_until:
            models = self._catalogue.models()
            self._remembered = (self._clock() + self._ttl_s, models)
        return models

    def known(self) -> Mapping[str, ModelEntry]:
        """Return the models by name, of which there has to be one before anything can be explained.

        Raises
        ------
        NoModels
            If no worker has published any, since Redis was empty.
        """
        models = self.all()
        if not models:
            raise NoModels(
                "No worker has told of its models, since Redis was new or emptied. Start a worker "
                "with a models.toml; one that runs tells within 10 s."
            )
        return models

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
        models = self.known()
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

    A name is compared exactly first, then without regard to case. Some label files give two
    classes one name (ImageNet has two cranes): such a name is refused with both indices.

    Raises
    ------
    UnknownClass
        With the closest names, for each that the model does not have.
    """
    labels = entry.labels or ()
    found: list[int] = []
    wrong: list[FieldError] = []
    for position, item in enumerate(asked):
        indices = _indices_of(item, labels=labels, class_count=entry.class_count)
        if len(indices) == 1:
            found += indices
        else:
            detail = _not_one(item, indices, entry)
            wrong.append(FieldError(pointer=pointer_to(["classes", position]), detail=detail))
    if wrong:
        raise UnknownClass(wrong[0].detail, wrong)
    return tuple(dict.fromkeys(found))


def _indices_of(item: int | str, *, labels: Sequence[str], class_count: int | None) -> list[int]:
    if isinstance(item, int):
        return [item] if class_count is None or item < class_count else []
    exactly = [index for index, label in enumerate(labels) if label == item]
    folded = item.casefold()
    return exactly or [index for index, label in enumerate(labels) if label.casefold() == folded]


def _not_one(item: int | str, indices: Sequence[int], entry: ModelEntry) -> str:
    if isinstance(item, int):
        bound = "" if entry.class_count is None else f", from 0 to {entry.class_count - 1}"
        return f"{item} is no class index of this model{bound}."
    if indices:
        several = ", ".join(map(str, indices))
        return f"Several classes are called {item[:80]!r}: give one of the indices {several}."
    if not entry.labels:
        return "The model's class names are not known: give class indices."
    by_folded = {label.casefold(): label for label in entry.labels}
    close = difflib.get_close_matches(item[:80].casefold(), by_folded, n=_SUGGESTIONS, cutoff=0.5)
    hint = f" Did you mean: {', '.join(by_folded[name] for name in close)}?" if close else ""
    return f"The model has no class {item[:80]!r}.{hint}"


def _those_of(models: Mapping[str, ModelEntry]) -> str:
    return f"Those that exist: {', '.join(sorted(models)) or 'none yet'}."
