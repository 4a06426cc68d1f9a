"""Every command of the documentation: carried out, or looked at where it cannot be."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
import yaml

from tests.integration.documentation.conftest import Stack
from tests.support import dockerfile, manifests, pages, web_process
from tests.support.pages import Block
from tests.support.private_redis import private_redis
from worker import arguments

pytestmark = pytest.mark.integration

ROOT = pages.ROOT
SCRIPTS = pages.blocks("bash")
# Their options come with the changes on the same page: test_extending.py makes both.
WITH_CHANGES = {"extending.md"}
# They close the service to whoever has no key, so they get one of their own.
WITH_KEYS = {"keys.md"}


def runs(page: Path) -> list[Block]:
    return [block for block in SCRIPTS if block.page == page and pages.is_run(block)]


def run(script: str, *, folder: Path, environment: dict[str, str]) -> str:
    """Carry out a script as a reader's shell does, and stop at the first command that fails."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


ORDINARY = [
    page for page in pages.PAGES if runs(page) and page.name not in WITH_CHANGES | WITH_KEYS
]


@pytest.mark.parametrize("page", ORDINARY, ids=lambda page: page.name)
def test_the_commands_of_a_page_do_what_they_should(page: Path, stack: Stack, folder: Path) -> None:
    script = "\n".join(stack.here(block.text) for block in runs(page))
    # An answer that is an error fails the page; what was fetched is there.
    script = re.sub(r"\bcurl\b", "curl --fail-with-body", script)
    environment = {**stack.environment(folder), "LIMELIGHT_MODELS_FILE": str(stack.models_file)}
    shutil.copy(stack.models_file, folder / "models.toml")
    shutil.copy(stack.models_file.parent / "labels.txt", folder)

    run(script, folder=folder, environment=environment)

    for output in re.findall(r"-o (\S+\.(?:png|json))", script):
        assert (folder / output).stat().st_size > 0
    for output in re.findall(r"--out (\S+)", script):
        assert list((folder / output).rglob("*-signed.png")), output


def test_the_commands_about_keys_do_what_they_should(
    stack: Stack, folder: Path, tmp_path: Path
) -> None:
    (page,) = (page for page in pages.PAGES if page.name in WITH_KEYS)
    making, *using = runs(page)
    create, listing, revoke = making.text.strip().splitlines()
    with (
        private_redis(tmp_path) as redis,
        web_process.running(redis.url, tmp_path / "web.log") as url,
    ):
        environment = {**stack.environment(folder), "LIMELIGHT_REDIS_URL": redis.url}
        key = run(create, folder=folder, environment=environment).strip()
        assert key.startswith("ll_")
        client = httpx.Client(
            base_url=url, trust_env=False, headers={"Authorization": f"Bearer {key}"}
        )
        with client as http:
            assert http.get("/v1/models").status_code == 200
        for block in using:
            text = block.text.replace("http://127.0.0.1:8000", url).replace("ll_…", key)
            answer = run(text, folder=folder, environment=environment)
            # There is no worker here, so no job either: a share of one is refused as such.
            assert '"models"' in answer or "/problems/not-found" in answer
        listed = run(listing, folder=folder, environment=environment)
        assert "ci" in listed
        key_id = run(f"{listing} --json", folder=folder, environment=environment)
        found = re.search(r'"id": "([^"]+)"', key_id)
        assert found is not None
        revoked = run(
            revoke.replace("4f0c…", found.group(1)), folder=folder, environment=environment
        )
        assert "revoked" in revoked


@pytest.mark.parametrize("block", SCRIPTS, ids=str)
def test_a_script_is_one_that_a_shell_can_read_and_that_a_test_knows(block: Block) -> None:
    done = subprocess.run(
        ["bash", "-n"], input=block.text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    known = pages.RUN | pages.ELSEWHERE | {"limelight-worker"}
    assert set(pages.first_words(block.text)) <= known


@pytest.mark.parametrize("block", [block for block in SCRIPTS if not pages.is_run(block)], ids=str)
def test_a_command_that_cannot_run_here_names_what_there_is(block: Block) -> None:
    for words in pages.commands(block.text):
        for word in words:
            path = word.rpartition("=")[2].removeprefix("limelight/")
            if path.startswith(("deploy/", "constraints/")) and "/limelight-" not in path:
                assert (ROOT / path).exists() or path in named_in_cluster(), word
        check = CHECKS.get(words[0])
        if check is not None:
            check(words)


def named_in_cluster() -> set[str]:
    kinds = {"Deployment": "deploy", "Service": "svc"}
    return {
        f"{kinds[one['kind']]}/{one['metadata']['name']}"
        for path in manifests.files()
        for one in manifests.read(path.read_text())
        if one["kind"] in kinds
    }


def check_make(words: list[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = [word for word in words[1:] if re.fullmatch(r"[a-z-]+", word) and word != "limelight"]
    assert set(asked) - {"-C"} <= targets, words


def check_docker(words: list[str]) -> None:
    if words[1] == "build":
        target, file = (words[words.index(flag) + 1] for flag in ("--target", "-f"))
        assert dockerfile.command(dockerfile.steps(ROOT / file, target))
    if words[1] == "compose":
        file = words[words.index("-f") + 1] if "-f" in words else "docker-compose.yml"
        services = yaml.safe_load((ROOT / file.removeprefix("limelight/")).read_text())["services"]
        if "--profile" in words:
            profile = words[words.index("--profile") + 1]
            assert any(profile in service.get("profiles", ()) for service in services.values())


def check_kubectl(words: list[str]) -> None:
    for flag, value in pairwise(words):
        if flag == "-k":
            assert (ROOT / value / "kustomization.yaml").is_file()
        if re.match(r"(deploy|svc)/[a-z-]+$", value):
            assert value in named_in_cluster()


def check_installed(words: list[str]) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert words[0] in scripts


def check_worker(words: list[str]) -> None:
    check_installed(words)
    arguments.parse(words[1:])


CHECKS = {
    "make": check_make,
    "docker": check_docker,
    "kubectl": check_kubectl,
    "limelight-web": check_installed,
    "limelight-worker": check_worker,
}


def test_a_command_that_does_not_fit_is_seen() -> None:
    with pytest.raises(AssertionError):
        check_make(["make", "demos"])
    with pytest.raises(AssertionError):
        check_kubectl(["kubectl", "apply", "-k", "deploy/kubernetes/overlays/none"])
    with pytest.raises(AssertionError):
        check_docker(["docker", "compose", "--profile", "monitor", "up"])
    with pytest.raises(SystemExit):
        check_worker(["limelight-worker", "match", "--model"])
    with pytest.raises(KeyError):
        check_docker(["docker", "build", "--target", "none", "-f", "deploy/Dockerfile", "."])
