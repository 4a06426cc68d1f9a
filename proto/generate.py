"""Generate ``worker/serving/stubs`` from the .proto files beside this script.

    python proto/generate.py            write the stubs
    python proto/generate.py --check    fail if the committed stubs are out of date

Messages only: the stubs of the services are written by hand (``worker/serving/rpc.py``), because
protoc would call them by our package's name and TensorFlow Serving knows them by its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

PROTO = Path(__file__).resolve().parent
# The path within the repository is the import path, and the name in protobuf's descriptor pool.
VIRTUAL = "worker/serving/stubs"
STUBS = PROTO.parent / VIRTUAL
INIT = '"""Generated from proto/ by proto/generate.py: do not edit."""\n'


def generate(out: Path) -> dict[str, str]:
    """Run protoc into the directory ``out``; return the text of each stub by file name."""
    sources = [f"{VIRTUAL}/{path.name}" for path in sorted(PROTO.glob("*.proto"))]
    # grpc_tools knows where the files of google.protobuf lie.
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{VIRTUAL}={PROTO}"]
    outputs = [f"--python_out={out}", f"--pyi_out={out}"]
    subprocess.run([*command, *outputs, *sources], check=True)
    stubs = {path.name: path.read_text("utf-8") for path in sorted((out / VIRTUAL).iterdir())}
    return {"__init__.py": INIT, **stubs}


def stale(fresh: dict[str, str]) -> list[str]:
    """Name the committed stubs that are missing, left over, or not what protoc makes now."""
    committed = {path.name: path.read_text("utf-8") for path in STUBS.glob("*.py*")}
    names = sorted(fresh.keys() | committed.keys())
    return [name for name in names if fresh.get(name) != committed.get(name)]


def write(fresh: dict[str, str]) -> None:
    """Make the stubs directory hold these files and no others."""
    STUBS.mkdir(parents=True, exist_ok=True)
    for path in STUBS.glob("*.py*"):
        path.unlink()
    for name, text in fresh.items():
        (STUBS / name).write_text(text, "utf-8")


def main() -> int:
    """Write or check the stubs; return the exit code."""
    parser = argparse.ArgumentParser(description="Generate worker/serving/stubs from proto/.")
    parser.add_argument("--check", action="store_true", help="fail if the stubs are out of date")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        fresh = generate(Path(directory))
    if not arguments.check:
        write(fresh)
        return 0
    outdated = stale(fresh)
    if outdated:
        print(f"Out of date in {VIRTUAL}: {', '.join(outdated)}. Run `make stubs` and commit.")
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
