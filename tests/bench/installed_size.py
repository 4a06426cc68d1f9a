"""What the `worker` extra takes on disk, against what tensorflow-serving-api would."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.bench.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
INSTALL_TIMEOUT_S = 240


def measure() -> Iterator[Figure]:
    """Install the pinned worker set into an empty environment, and weigh it."""
    with tempfile.TemporaryDirectory(prefix="limelight-bench-") as directory:
        size = _install(Path(directory))
    yield Figure(name="worker extra, installed", value=size / 1e6, unit="MB", goal=600)
    yield Figure(
        name="tensorflow-serving-api, installed",
        value=_size_with_dependencies("tensorflow-serving-api") / 1e6,
        unit="MB",
    )


def _install(directory: Path) -> int:
    """Bytes of the packages in a virtual environment that holds nothing else, not even pip."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
    subprocess.run(
        [
            sys.executable, "-m", "pip", "--python", directory / "bin" / "python", "install",
            "-qq", "--disable-pip-version-check", "--no-input", "--require-hashes",
            "-r", ROOT / "constraints" / "worker.txt",
        ],
        check=True,
        timeout=INSTALL_TIMEOUT_S,
        stdout=sys.stderr,
    )  # fmt: skip
    (packages,) = directory.glob("lib/python3*/site-packages")
    return sum(file.lstat().st_blocks * 512 for file in packages.rglob("*") if file.is_file())


def _size_with_dependencies(name: str) -> int:
    """Bytes of an installed distribution's files and of all that it requires."""
    found: dict[str, Distribution] = {}
    wanted = [name]
    while wanted:
        key = canonicalize_name(wanted.pop())
        if key in found:
            continue
        try:
            found[key] = distribution(key)
        except PackageNotFoundError:
            # Required on another platform, or by an extra that is not installed.
            continue
        requirements = map(Requirement, found[key].requires or ())
        wanted += [
            requirement.name
            for requirement in requirements
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ]
    files = (item.locate_file(path) for item in found.values() for path in item.files or ())
    return sum(
        Path(file).lstat().st_blocks * 512 for file in set(map(str, files)) if Path(file).exists()
    )
