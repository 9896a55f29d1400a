"""What the documents show, and a shell that runs it."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fakes.command import GO_CACHE

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).parent / "ocm-pkg"


def commands(document: str) -> list[str]:
    """Return the lines of a document's blocks that are commands, without their comments."""
    text = (PROJECT / document).read_text(encoding="utf-8")
    found = re.findall(r"^ {4}((?:ocm-pkg|cd) .*)$", text, re.MULTILINE)
    return [re.sub(r"\s+#\s.*$", "", line).strip() for line in found]


def block(document: str, start: str) -> str:
    """Return the indented block of a document that begins with ``start``."""
    text = (PROJECT / document).read_text(encoding="utf-8")
    lines = text[text.index(f"    {start}") :].split("\n")
    inside = itertools.takewhile(lambda line: not line or line.startswith("    "), lines)
    return "\n".join(line[4:] for line in inside)


class Shell:
    """Runs lines as a user's shell would, in a home folder of its own."""

    def __init__(self, home: Path) -> None:
        self.cwd = home
        self.environment = {"HOME": str(home), "PATH": os.environ["PATH"], "GOCACHE": GO_CACHE}

    @contextmanager
    def beside(self, line: str) -> Iterator[str]:
        """Run a server beside everything else, on a free port; give the URL that it prints."""
        words = re.sub(r"(--listen \S+):\d+", r"\1:0", line).split()
        with subprocess.Popen(
            [str(PROGRAM), *words[1:]],
            cwd=self.cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                found = (re.search(r"http://[0-9.:]+", text) for text in process.stdout)
                yield next(match[0] for match in found if match)
            finally:
                process.terminate()
                process.stdout.close()

    def run(self, line: str) -> None:
        words = shlex.split(line)
        if words[0] == "cd":
            self.cwd = self.cwd / words[1]
            return
        words[0] = str(PROGRAM)
        text = ""
        if "<" in words:
            *words, _, name = words
            text = (self.cwd / name).read_text()
        done = subprocess.run(
            words,
            cwd=self.cwd,
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
