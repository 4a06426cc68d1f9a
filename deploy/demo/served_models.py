"""The models of a server: which versions there are, which are loaded, and what labels mean.

As with TensorFlow Serving, a model is a folder and each of its subfolders with a number for a name
is a version. The policy is that every version is served.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_pb2

from deploy.demo.servable import Servable
from deploy.demo.serving_error import ServingError, invalid, not_found

_log = logging.getLogger(__name__)

State: Final = get_model_status_pb2.ModelVersionStatus
_OK: Final = 0
_UNKNOWN: Final = 2


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a model; `servable` is None before it is loaded, after, and if it cannot be.

    `state` is a `ModelVersionStatus.State`; `problem` says why loading failed, or is empty.
    """

    number: int
    state: int
    servable: Servable | None = None
    problem: str = ""


class ServedModels:
    """Loads what appears in the folders, drops what disappears, and finds what a request names.

    Parameters
    ----------
    base_paths
        A folder for each model's name.
    labels
        For each model, the version that each label stands for.
    load
        Makes a servable of the folder of a version.
    """

    def __init__(
        self,
        base_paths: Mapping[str, Path],
        labels: Mapping[str, Mapping[str, int]],
        *,
        load: Callable[[Path], Servable] = Servable,
    ) -> None:
        self._base_paths = dict(base_paths)
        self._labels = labels
        self._load = load
        self._labels_ready = False
        self._versions: dict[str, dict[int, Version]] = {name: {} for name in base_paths}
        self._refreshing = threading.Lock()

    def refresh(self) -> None:
        """Bring what is loaded in line with what is in the folders."""
        with self._refreshing:
            for name, base_path in self._base_paths.items():
                found = _numbered_folders(base_path)
                for number, folder in sorted(found.items()):
                    self._take_up(name, number, folder)
                for number in set(self._versions[name]) - set(found):
                    self._drop(name, number)
            self._labels_ready = True

    def find(self, spec: model_pb2.ModelSpec) -> tuple[int, Servable]:
        """Return the version that a request means, and its servable.

        Raises
        ------
        ServingError
            NOT_FOUND if it is not loaded, INVALID_ARGUMENT for no name or an unknown label,
            UNAVAILABLE for any label before the first versions have been loaded.
        """
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        loaded = {
            number: version.servable
            for number, version in self._versions.get(spec.name, {}).items()
            if version.servable is not None
        }
        number = self._requested(spec)
        if number is None:
            if not loaded:
                raise not_found(f"Servable not found for request: Latest({spec.name})")
            number = max(loaded)
        if number not in loaded:
            raise not_found(f"Servable not found for request: Specific({spec.name}, {number})")
        return number, loaded[number]

    def statuses(self, spec: model_pb2.ModelSpec) -> list[get_model_status_pb2.ModelVersionStatus]:
        """Tell the states of a model's versions, latest first; labels are ignored.

        Raises
        ------
        ServingError
            NOT_FOUND if the model or the version has never been there.
        """
        versions = self._versions.get(spec.name, {})
        if spec.WhichOneof("version_choice") == "version":
            number = spec.version.value
            if number not in versions:
                raise not_found(f"Could not find version {number} of model {spec.name}")
            return [_status(versions[number])]
        if not versions:
            raise not_found(f"Could not find any versions of model {spec.name}")
        return [_status(versions[number]) for number in sorted(versions, reverse=True)]

    def available(self) -> dict[str, list[int]]:
        """Return the numbers of the loaded versions for each model."""
        return {
            name: sorted(n for n, version in versions.items() if version.servable is not None)
            for name, versions in self._versions.items()
        }

    def _requested(self, spec: model_pb2.ModelSpec) -> int | None:
        choice = spec.WhichOneof("version_choice")
        if choice == "version":
            return int(spec.version.value)
        if choice is None:
            return None
        label = spec.version_label
        if not self._labels_ready:
            raise ServingError(
                grpc.StatusCode.UNAVAILABLE, f"Model labels does not init yet.{label}"
            )
        if label not in self._labels.get(spec.name, {}):
            raise invalid(f"Unrecognized servable version label: {label}")
        return self._labels[spec.name][label]

    def _take_up(self, name: str, number: int, folder: Path) -> None:
        known = self._versions[name].get(number)
        if known is not None and (known.servable is not None or known.problem):
            return
        self._put(name, Version(number=number, state=State.LOADING))
        try:
            servable = self._load(folder)
            servable.warm_up()
        except Exception as error:  # noqa: BLE001 - TensorFlow raises anything for a bad SavedModel
            _log.error("%s version %d cannot be loaded: %s", name, number, error)
            self._put(name, Version(number=number, state=State.END, problem=str(error)))
        else:
            _log.info("%s version %d is served", name, number)
            self._put(name, Version(number=number, state=State.AVAILABLE, servable=servable))

    def _drop(self, name: str, number: int) -> None:
        if self._versions[name][number].state != State.END:
            _log.info("%s version %d is gone", name, number)
        # Calls that are being answered hold the servable themselves; it goes with the last.
        self._put(name, Version(number=number, state=State.END))

    def _put(self, name: str, version: Version) -> None:
        # Readers take no lock: they see the old table or the new one, never one being changed.
        self._versions[name] = {**self._versions[name], version.number: version}


def _numbered_folders(base_path: Path) -> dict[int, Path]:
    try:
        folders = list(base_path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return {}  # It may come later, and it may go while the server runs.
    return {
        int(folder.name): folder
        for folder in folders
        if folder.name.isdecimal() and (folder / "saved_model.pb").is_file()
    }


def _status(version: Version) -> get_model_status_pb2.ModelVersionStatus:
    status = State(version=version.number, state=version.state)
    # An empty message marks the status as present, as the real server does when all is well.
    status.status.error_code = _UNKNOWN if version.problem else _OK
    status.status.error_message = version.problem
    return status
