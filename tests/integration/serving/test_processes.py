from __future__ import annotations

import subprocess
import sys

import pytest

from tests.integration.serving.server import LOOPBACK

pytestmark = pytest.mark.integration

# A model that is made before a fork is used after it, by the child and then by the parent.
PREFORK = """
import os, sys
from worker.serving.model import ServedModel
from worker.serving.profile import ModelProfile

profile = ModelProfile(name="colours", servable="colours", address=sys.argv[1], output="scores")
model = ServedModel(profile)
child = os.fork()
version = model.resolve(None, timeout_s=10).version
model.close()
if child:
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status) or version != 3)
os._exit(version != 3)
"""


def test_a_model_that_is_made_before_a_fork_serves_parent_and_child(port: int) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREFORK, f"dns:///{LOOPBACK}:{port}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_model_that_was_closed_opens_another_channel(model) -> None:
    assert model.resolve(None, timeout_s=5).version == 3
    model.close()
    assert model.resolve(None, timeout_s=5).version == 3
