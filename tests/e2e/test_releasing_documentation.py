"""What is written about releases is run, in its order."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fakes.release_room import NAME, YAML, needs_git
from tests.fakes.release_room import room as room  # noqa: PLC0414 - a fixture
from tests.fakes.shown import Shell, commands

pytestmark = [needs_git, pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")]


def test_what_is_written_about_releases_works(room):
    room.write("ocm-pkg.yaml", YAML.partition("sign:")[0])
    room.write(".gitignore", "/dist/\n/ctf/\n/out/\n/keys/\n/runs\n/parts/\n/joined/\n")
    room.commit()
    shell = Shell(Path(room.environ["HOME"]))
    shell.cwd = room.folder
    lines = commands("docs/releasing.md")
    assert len(lines) == 9
    for line in lines:
        # The targets of this project are for other machines, so that they are made at once.
        shell.run(line.replace(" --target host", ""))
    reference = f"released//{NAME}:1.0.0"
    (descriptor,) = room.accepted("get", "cv", reference, "-o", "json").json
    assert [one["name"] for one in descriptor["signatures"]] == ["default"]
