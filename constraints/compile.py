"""Pin every dependency of each extra, with hashes and without the address of any package index.

``test`` is resolved first and holds everything; the smaller sets are cut from it, so that what is
tested is what is deployed. Each set also holds the build backend, so that Limelight itself is
installed without build isolation and without anything unpinned.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SETS = ("test", "demo", "stack", "docs", "otel", "web", "worker")
BUILD = ("hatchling>=1.27", "editables>=0.5")


def compile_set(name: str, *, target: Path, constraints: Path | None) -> None:
    """Resolve the extra ``name`` into ``target``; keep to ``constraints`` where they are given."""
    with tempfile.NamedTemporaryFile("w", suffix=".in", dir=target.parent) as build:
        build.write("\n".join(BUILD) + "\n")
        build.flush()
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"]
        command += ["--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"]
        command += ["--no-annotate", "--no-header", "--extra", name, "--output-file", str(target)]
        command += ["pyproject.toml", build.name]
        if constraints is not None:
            command += ["--constraints", str(constraints)]
        subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603


def names(path: Path) -> set[str]:
    """Return the distributions that a set pins."""
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", path.read_text(), re.MULTILINE))


def problems() -> list[str]:
    """Say what is wrong with the committed sets, without asking any package index."""
    found = []
    pinned = {name: HERE / f"{name}.txt" for name in SETS}
    everything = pinned["test"].read_text()
    for name, path in pinned.items():
        text = path.read_text()
        if "://" in text:
            found.append(f"{path.name} names an address")
        pins = re.findall(r"^([a-z0-9]\S*==\S+)", text, re.MULTILINE)
        strange = [pin for pin in pins if f"{pin} " not in everything]
        found += [f"{path.name}: {pin} is not what test.txt pins" for pin in strange]
        lacking = sorted(declared(name) - names(path))
        found += [f"{path.name} lacks {wanted}; run 'make constraints'" for wanted in lacking]
    return found


def declared(extra: str) -> set[str]:
    """Return the distributions that an extra names in pyproject.toml, those of its extras too."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    found: set[str] = set()
    for requirement in extras[extra]:
        own = re.match(r"limelight\[(.+)\]", requirement)
        if own:
            found = found.union(*(declared(part) for part in own.group(1).split(",")))
        else:
            found.add(re.split(r"[\[<>=!;~ ]", requirement)[0].lower().replace("_", "-"))
    return found


def main() -> int:
    """Write the sets, or with ``--check`` say what is wrong with them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    if parser.parse_args().check:
        found = problems()
        for line in found:
            print(line, file=sys.stderr)  # noqa: T201
        return 1 if found else 0
    everything = HERE / "test.txt"
    compile_set("test", target=everything, constraints=None)
    for name in SETS[1:]:
        compile_set(name, target=HERE / f"{name}.txt", constraints=everything)
    return 0


if __name__ == "__main__":
    sys.exit(main())
