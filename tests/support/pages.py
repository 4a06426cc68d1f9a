"""The blocks of the documentation, and what kind each is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))

# First words of commands that a test carries out, and of those that need what is not here.
RUN = frozenset({"curl", "limelight", "export"})
ELSEWHERE = frozenset(
    {"docker", "kubectl", "make", "git", "pip", "limelight-web", "openssl", ".venv/bin/pre-commit"}
)
# One program, two lives: it tries profiles and ends, or it serves.
_WORKER = "limelight-worker"
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_DRAWN = re.compile(r"──|^id: \d", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One block of code.

    Attributes
    ----------
    page : Path
    line : int
        Where it begins, from 1.
    kind : str
        The language that its fence names. An indented block is ``bash`` if it begins with a
        command, ``drawing`` if it is a picture or an example of output, else ``""``.
    text : str
    """

    page: Path
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(*kinds: str) -> list[Block]:
    """Return the blocks of these kinds on all pages; all blocks if none is named."""
    return [block for page in PAGES for block in _read(page) if not kinds or block.kind in kinds]


def _read(page: Path) -> Iterator[Block]:
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type not in ("fence", "code_block"):
            continue
        line = (token.map or [0])[0] + 1
        kind = token.info.strip() if token.type == "fence" else _guess(token.content)
        yield Block(page, line, kind, token.content)


def _guess(text: str) -> str:
    words = first_words(text)
    if words and words[0] in (*RUN, *ELSEWHERE, _WORKER):
        return "bash"
    return "drawing" if _DRAWN.search(text) else ""


def commands(text: str) -> list[list[str]]:
    """Split a script into commands: their words, without comments and assignments before them."""
    joined = re.sub(r"\\\n\s*", " ", text)
    found = []
    for line in joined.splitlines():
        for part in re.split(r"\s&&\s", line):
            words = shlex.split(part, comments=True)
            while words and _ASSIGNMENT.match(words[0]):
                inner = words.pop(0).partition("=")[2]
                if inner.startswith("$("):
                    words = [inner.removeprefix("$("), *words]
            if words:
                found.append(words)
    return found


def first_words(text: str) -> list[str]:
    """Return the programs that a script calls, in order; nothing of what is no script."""
    try:
        return [Path(words[0]).name if "/bin/limelight" in words[0] else words[0]
                for words in commands(text)]  # fmt: skip
    except ValueError:
        return []


def is_run(block: Block) -> bool:
    """Whether a test carries out the commands of a block, rather than looks at them."""
    checks = all(words[1:2] == ["check"] for words in commands(block.text) if words[0] == _WORKER)
    return checks and set(first_words(block.text)) <= RUN | {_WORKER}
