"""Every program of the documentation runs, and what is data is what it says."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from tests.integration.documentation.conftest import CAT, Stack
from tests.support import pages
from tests.support.pages import Block
from worker.jobs.tenants import load_tenants
from worker.serving.preprocess import NAMED, to_float
from worker.serving.profiles import load_profiles

pytestmark = pytest.mark.integration

PYTHON = pages.blocks("python")
JAVASCRIPT = pages.blocks("javascript")
TOML = pages.blocks("toml")
# tests/integration/webhooks/test_documentation.py sends webhooks to it.
SERVERS = {"webhooks.md"}


def is_fragment(block: Block) -> bool:
    """Whether a program is part of another, of which the page shows no more."""
    return "request.get_data()" in block.text


def run(command: list[str], *, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "block",
    [one for one in PYTHON if one.page.name not in SERVERS and not is_fragment(one)],
    ids=str,
)
def test_a_python_program_runs(block: Block, stack: Stack, folder: Path) -> None:
    environment = {**stack.environment(folder), "PYTHONPATH": str(pages.ROOT)}
    output = run(
        [sys.executable, "-c", stack.here(block.text)], folder=folder, environment=environment
    )
    assert "print(" not in block.text or output


@pytest.mark.parametrize("block", [one for one in PYTHON if is_fragment(one)], ids=str)
def test_a_fragment_of_python_can_be_read_and_imports_what_there_is(block: Block) -> None:
    imports = [
        node for node in ast.parse(block.text).body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert imports
    exec(compile(ast.Module(imports, []), str(block), "exec"), {})  # noqa: S102 - our own page


@pytest.mark.parametrize("block", JAVASCRIPT, ids=str)
def test_a_javascript_program_runs(
    block: Block, stack: Stack, folder: Path, tmp_path: Path
) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    program = tmp_path / "program.mjs"
    program.write_text(block.text)
    output = run([node, str(program)], folder=folder, environment=stack.environment(folder))
    assert f"/overlays/{CAT}/signed.png" in output or "export function" in block.text


def test_a_page_follows_a_job_by_its_events(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    (block,) = (one for one in JAVASCRIPT if "EventSource" in one.text)
    (tmp_path / "follow.mjs").write_text(block.text)
    (tmp_path / "try.mjs").write_text(FOLLOWING)
    said = run([node, "try.mjs"], folder=tmp_path, environment=dict(os.environ))
    assert json.loads(said) == {
        "url": "/v1/explanations/exp_1/events",
        "seen": ["processing", "succeeded"],
        "closed": True,
    }


# A browser's EventSource, as far as the program uses it.
FOLLOWING = """
const said = { seen: [], closed: false };
const listeners = {};
globalThis.EventSource = class {
  constructor(url) { said.url = url; }
  addEventListener(name, listener) { listeners[name] = listener; }
  close() { said.closed = true; }
};
const { follow } = await import("./follow.mjs");
follow({ links: { self: "/v1/explanations/exp_1" } }, (change) => said.seen.push(change.status));
for (const status of ["processing", "succeeded"])
  listeners[status]({ data: JSON.stringify({ status }) });
console.log(JSON.stringify(said));
"""


@pytest.mark.parametrize("block", pages.blocks("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    assert json.loads(block.text)


@pytest.mark.parametrize(
    "block", [one for one in TOML if "models" in tomllib.loads(one.text)], ids=str
)
def test_a_profile_is_one_that_a_worker_takes(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(block.text)
    for named in re.findall(r'"(?:file:)?([\w./-]+\.(?:txt|pem)|serving-token)"', block.text):
        (tmp_path / named).parent.mkdir(exist_ok=True)
        (tmp_path / named).write_text("Bearer abc")
    assert load_profiles(file)


@pytest.mark.parametrize(
    "block", [one for one in TOML if "models" not in tomllib.loads(one.text)], ids=str
)
def test_a_file_of_tenants_is_one_that_is_taken(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(block.text)
    assert load_tenants(file).named


def test_the_first_profile_has_six_lines() -> None:
    (first, *_) = (one for one in TOML if one.page.name == "start.md")
    assert len(first.text.strip().splitlines()) == 6


# The module of keras.applications that holds each network of the table.
KERAS = {
    "EfficientNet": "efficientnet", "EfficientNetV2": "efficientnet_v2", "ConvNeXt": "convnext",
    "MobileNetV3": "mobilenet_v3", "InceptionV3": "inception_v3", "Xception": "xception",
    "MobileNet": "mobilenet", "MobileNetV2": "mobilenet_v2", "ResNetV2": "resnet_v2",
    "InceptionResNetV2": "inception_resnet_v2", "NASNet": "nasnet", "ResNet50": "resnet",
    "ResNet101": "resnet", "ResNet152": "resnet", "VGG16": "vgg16", "VGG19": "vgg19",
    "DenseNet": "densenet",
}  # fmt: skip


def test_the_table_of_keras_applications_says_what_keras_does() -> None:
    text = (pages.ROOT / "docs" / "profiles.md").read_text()
    rows = re.findall(r"^\| ([A-Z][^|]*?)(?: \([^)]*\))? \| `(\w+)` \|$", text, re.MULTILINE)
    table = {name: how for names, how in rows for name in names.split(", ")}
    assert set(table) == set(KERAS)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    ours = {how: to_float(pixels, NAMED[how], layout="NHWC") for how in set(table.values())}
    theirs = keras_preprocess(pixels)
    for name, how in table.items():
        np.testing.assert_allclose(ours[how], theirs[KERAS[name]], atol=1e-4, err_msg=name)


def keras_preprocess(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """What each module of Keras does to these pixels; TensorFlow stays in another process."""
    code = (
        "import importlib, json, sys, numpy as np\n"
        "pixels = np.array(json.load(sys.stdin), np.float32)\n"
        "of = lambda m: importlib.import_module('keras.applications.' + m).preprocess_input\n"
        "print(json.dumps({m: of(m)(pixels.copy()).tolist() for m in sys.argv[1:]}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *sorted(set(KERAS.values()))],
        input=json.dumps(pixels.tolist()), capture_output=True, text=True, timeout=120, check=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    return {name: np.array(found) for name, found in json.loads(done.stdout).items()}
