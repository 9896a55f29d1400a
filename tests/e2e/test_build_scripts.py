"""The scripts that build machines run: they need nothing installed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.trees import snapshot

SCRIPTS = Path(__file__).parents[2] / "build_scripts"


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", SCRIPTS / script, *map(str, arguments)]
        if script == "smoke.py"
        else [sys.executable, SCRIPTS / script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("script", ["build_host.py", "freeze.py", "release.py", "smoke.py"])
def test_a_script_explains_itself_and_stays_short(script):
    assert run(script, "--help").stdout.startswith("usage: ")
    text = (SCRIPTS / script).read_text()
    assert len(text.splitlines()) < 150
    modules = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(str(node.module).partition(".")[0])
    assert modules <= {
        *sys.stdlib_module_names,
        "environment",
        "build_host",
        "freeze_project",
        "program_constructor",
    }


def program(folder: Path, text: str) -> Path:
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


ANSWERS = '[ "$1" = capabilities ] && echo \'{"type":{}}\''
LISTENS_NOWHERE = f"{ANSWERS} && exit; echo http+unix:///nowhere.sock; sleep 1"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("exit 3", "ended with 3"),
        ("echo no json", "is not JSON"),
        ("echo '{}'", "neither type nor capabilities"),
        (ANSWERS, "did not say"),
        (LISTENS_NOWHERE, "/healthz"),
    ],
)
def test_a_binary_that_fails_a_step_is_reported(tmp_path, text, says):
    ran = run("smoke.py", program(tmp_path, text))
    assert ran.returncode == 1
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_binary_that_is_not_there_is_reported(tmp_path):
    ran = run("smoke.py", tmp_path / "nothing")
    assert ran.returncode == 1
    assert "nothing" in ran.stderr


def test_an_environment_of_somebody_else_is_left_alone(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "file").write_text("x")
    before = snapshot(tmp_path)
    ran = run("build_host.py", tmp_path, "--environment", folder)
    assert ran.returncode == 1
    assert "was not made by this script" in ran.stderr
    assert snapshot(tmp_path) == before
