"""Arrows point down, and starting is cheap."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("pydantic", "rich", "yaml", "cryptography", "asyncio", "jsonschema")


def loaded_by(*arguments: str) -> set[str]:
    """Return the top-level modules that a run of ocm-pkg with these arguments has imported."""
    code = (
        "import sys, json, io, contextlib\n"
        f"sys.argv = {['ocm-pkg', *arguments]!r}\n"
        "from ocm_pkg.__main__ import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main()\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("plugin", "--help")])
def test_B06_version_and_help_import_no_heavy_library(arguments):
    assert loaded_by(*arguments) & set(HEAVY) == set()


def test_version_imports_not_even_the_command_line_library():
    assert "click" not in loaded_by("--version")


def test_B06_twin_a_command_that_needs_a_heavy_library_does_import_it():
    assert "pydantic" in loaded_by("get", "cv", "nowhere//example.com/a:1.0.0")
