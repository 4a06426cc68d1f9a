"""How a run ends when it cannot do what it should: a sentence, a code, and never a trace."""

from __future__ import annotations

import json

import click
import httpx
import pytest

from limelight.cli.plugins import OpenGroup
from tests.unit.limelight.service import JOB_ID, job, refusal, told


def many(answer):
    return tuple([answer] * 40)


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ((told(job("failed")),), 1),
        (many(httpx.ConnectError("Connection refused")), 3),
        (many(lambda _: refusal(503, "unavailable")), 3),
        ((refusal(500, "internal"),), 3),
        ((refusal(401, "unauthorized"),), 4),
        ((refusal(404, "not-found"),), 4),
        ((refusal(410, "gone"),), 4),
        (many(lambda _: refusal(429, "rate-limited")), 4),
        ((httpx.Response(200, text="<html>"),), 6),
        ((httpx.Response(302, headers={"Location": "/login"}),), 6),
    ],
)
def test_each_kind_of_failure_has_its_code(limelight, answers, code):
    ended = limelight("status", JOB_ID, answers=answers)
    assert ended.code == code
    assert ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["nonsense"],
        ["status", "a/b"],
        ["explain", "no-such-file.png"],
        ["list", "--status", "odd"],
        ["status", JOB_ID, "--url", "nowhere"],
        ["webhooks", "listen", "--secret", "not base64"],
    ],
)
def test_what_cannot_be_asked_is_code_2(limelight, arguments):
    ended = limelight(*arguments)
    assert ended.code == 2
    assert ended.err
    assert ended.service.asked == []


def test_an_option_without_a_value_is_told(limelight, tmp_path):
    image = tmp_path / "cat.png"
    image.write_bytes(b"image")
    ended = limelight("explain", str(image), "-o", "samples")
    assert ended.code == 2
    assert "samples=500" in ended.err


def test_a_program_gets_the_problem_as_json(limelight):
    ended = limelight("status", JOB_ID, "--json", answers=(refusal(404, "not-found"),))
    error = json.loads(ended.err)["error"]
    assert error["exit_code"] == 4
    assert error["problem"]["type"] == "/problems/not-found"
    assert ended.out == ""


def test_how_long_to_try_again_can_be_said(limelight):
    answers = many(httpx.ConnectError("refused"))
    ended = limelight("status", JOB_ID, "--retry-for", "0", answers=answers)
    assert len(ended.service.asked) == 1


def test_ctrl_c_is_130(limelight):
    ended = limelight("status", JOB_ID, answers=(interrupt,))
    assert ended.code == 130
    assert "Interrupted" in ended.err


def interrupt(_request):
    raise KeyboardInterrupt


def test_a_disk_that_is_full_is_said_in_a_sentence(limelight):
    @click.command()
    def write():
        raise OSError(28, "No space left on device", "out/cat.png")

    ended = limelight(command=write)
    assert ended.code == 2
    assert ended.err == "Error: out/cat.png: No space left on device.\n"


class Point:
    """An entry point, as far as the command looks at one."""

    def __init__(self, name, command):
        self.name, self.value, self._command = name, f"{name}:command", command

    def load(self):
        if isinstance(self._command, Exception):
            raise self._command
        return self._command


def group(name, *commands):
    return click.Group(name, commands=list(commands), help=f"Group {name}.")


def command(name, text):
    return click.Command(name, callback=lambda: click.echo(text))


def opened(*points, ours=()):
    return OpenGroup("limelight", commands=list(ours), find=lambda: points)


def test_commands_of_others_are_there(limelight):
    keys = group("keys", command("create", "made"))
    assert limelight("keys", "create", command=opened(Point("keys", keys))).out == "made\n"
    assert "keys" in limelight("--help", command=opened(Point("keys", keys))).out


def test_a_command_whose_package_is_not_installed_is_not_there(limelight):
    absent = opened(Point("keys", ImportError("no flask")), ours=[command("status", "fine")])
    assert limelight("status", command=absent).out == "fine\n"
    assert "keys" not in limelight("--help", command=absent).out
    assert limelight("keys", command=absent).code == 2


def test_a_group_of_ours_and_one_of_theirs_are_one(limelight):
    ours = group("webhooks", command("listen", "ours"))
    theirs = group("webhooks", command("secret", "theirs"), command("listen", "not this one"))
    both = opened(Point("webhooks", theirs), ours=[ours])
    assert limelight("webhooks", "listen", command=both).out == "ours\n"
    assert limelight("webhooks", "secret", command=both).out == "theirs\n"


def test_a_command_of_ours_cannot_be_replaced(limelight):
    both = opened(Point("status", command("status", "theirs")), ours=[command("status", "ours")])
    assert limelight("status", command=both).out == "ours\n"
