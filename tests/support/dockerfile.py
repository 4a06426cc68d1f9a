"""Read a Dockerfile far enough to carry out its steps without Docker."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """One instruction of a stage, for instance ``RUN`` and ``pip install ...``."""

    instruction: str
    argument: str


def steps(dockerfile: Path, target: str) -> list[Step]:
    """All steps that make the stage ``target``, those of the stages it builds on first.

    A stage builds on the one it starts from and on those that it copies from.
    """
    stages: dict[str, list[Step]] = {}
    current: list[Step] = []
    for line in _logical_lines(dockerfile.read_text()):
        instruction, argument = line.split(None, 1)
        if instruction == "FROM":
            parent, _, name = argument.partition(" AS ")
            current = stages.setdefault(name, list(stages.get(parent, [])))
        elif instruction == "COPY" and argument.startswith("--from="):
            current += stages[argument.split()[0].removeprefix("--from=")]
        else:
            current.append(Step(instruction, argument))
    return stages[target]


def command(made_of: list[Step]) -> list[str]:
    """The start command of a stage."""
    return list(json.loads([step for step in made_of if step.instruction == "CMD"][-1].argument))


def environment(made_of: list[Step]) -> dict[str, str]:
    """What the stage's ``ENV`` lines set."""
    return {
        name: value
        for step in made_of
        if step.instruction == "ENV"
        for name, value in re.findall(r"(\w+)=(\S+)", step.argument)
        if name != "PATH"
    }


def _logical_lines(text: str) -> list[str]:
    without_comments = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", " ", without_comments)
    return [line.strip() for line in joined.splitlines() if line.strip()]
