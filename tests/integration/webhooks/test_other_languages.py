"""A receiver in another language: the signature scheme's own JavaScript package, by node."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.webhooks.signing import Secret, signed_headers

pytestmark = pytest.mark.integration

VERIFY = """
const { Webhook } = require("standardwebhooks");
const { body, headers, secrets } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const verdicts = secrets.map((secret) => {
  try {
    return new Webhook(secret).verify(body, headers).type;
  } catch (error) {
    return error.message;
  }
});
console.log(JSON.stringify(verdicts));
"""
BODY = '{"type":"explanation.succeeded","data":{"name":"Grün \\u2028 🐈"}}'


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    directory = tmp_path_factory.mktemp("node")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        installed = subprocess.run(
            [*command, "--fetch-retries=0", "standardwebhooks@1"],
            cwd=directory,
            capture_output=True,
            timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install the package in time")
    if installed.returncode != 0:
        pytest.skip("npm has no registry to install the package from")
    return directory


def test_the_javascript_package_accepts_either_secret_and_no_other(package: Path) -> None:
    now = datetime.now(UTC)
    old, new, other = (Secret.new(now=now) for _ in range(3))
    told = {
        "body": BODY,
        "headers": dict(signed_headers("msg_1", BODY, secrets=[new, old], at=now)),
        "secrets": [old.text, new.text, other.text],
    }
    found = subprocess.run(
        ["node", "-e", VERIFY],
        cwd=package,
        input=json.dumps(told),
        text=True,
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert json.loads(found.stdout) == [
        "explanation.succeeded",
        "explanation.succeeded",
        "No matching signature found",
    ]
