"""docs/performance.md names every figure that is measured, and how to measure it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

from tests.fakes.shown import PROJECT

DOCUMENT = PROJECT / "docs/performance.md"


def figures() -> set[str]:
    """Return the names of all figures, as patterns where a part of one is computed."""
    code = "".join(path.read_text() for path in (PROJECT / "tests/bench").glob("*.py"))
    names = re.findall(r'Figure\.of\(\s*f?"([^"]+)"', code)
    names += re.findall(r'\("(capabilities-[a-z]+)", lambda', code)
    return {re.sub(r"\\\{[a-z]+\\\}", "[a-z*]+", re.escape(name)) for name in names}


def test_every_figure_is_in_the_table_and_nothing_else_is():
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    shown = {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}
    patterns = figures()
    assert len(patterns) >= 15
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in shown), pattern
    for name in shown:
        assert any(re.fullmatch(pattern, name) for pattern in patterns), name


def test_the_command_that_measures_one_group_is_right():
    [line] = re.findall(
        r"^ {4}\.venv/bin/python (-m tests\.bench .*)$", DOCUMENT.read_text(), re.MULTILINE
    )
    # The option is checked before the help is printed, and nothing is measured.
    command = [sys.executable, *shlex.split(line), "--help"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
