"""What a process of ours loads, seen from a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LIST_MODULES = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("package", ["worker", "web"])
def test_no_module_of_ours_loads_tensorflow(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, package],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    loaded = json.loads(done.stdout)
    assert package in loaded
    roots = {name.partition(".")[0] for name in loaded}
    assert not roots & {"tensorflow", "tensorflow_serving", "keras", "tf_keras", "jax", "torch"}
