from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import click

from limelight.cli.plugins import GROUP, OpenGroup
from limelight.cli.webhooks import webhooks

ROOT = Path(__file__).resolve().parents[3]


def test_the_secret_commands_join_the_client_s_own_group() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    value = project["entry-points"][GROUP]["webhooks"]
    point = EntryPoint(name="webhooks", value=value, group=GROUP)
    group = OpenGroup("limelight", commands=[webhooks], find=lambda: [point])
    joined = group.get_command(click.Context(group), "webhooks")
    assert isinstance(joined, click.Group)
    assert {"listen", "secret"} <= set(joined.commands)
