"""A plugin frozen with cx_Freeze: without binutils, twice in different places, tried."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.fakes.command import Command
from tests.fakes.contract import passes

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or importlib.util.find_spec("cx_Freeze") is None,
    reason="needs Linux with cx_Freeze",
)
BINUTILS = ("objdump", "objcopy", "strip", "readelf")


@pytest.fixture
def command(tmp_path):
    """The command, where none of the tools that PyInstaller needs are found."""
    found = tmp_path / "bin"
    found.mkdir()
    for folder in reversed(os.environ["PATH"].split(os.pathsep)):
        for tool in Path(folder).glob("*"):
            if not tool.name.endswith(BINUTILS):
                (found / tool.name).unlink(missing_ok=True)
                (found / tool.name).symlink_to(tool)
    made = Command(tmp_path / "home")
    made.environ["PATH"] = str(found)
    return made


def project(command, folder):
    folder.mkdir(parents=True)
    assert command("init", "hello", cwd=folder).code == 0
    file = folder / "hello/ocm-pkg.yaml"
    text = file.read_text()
    lines = [line for line in text.splitlines() if "shape:" not in line]
    text = "\n".join(lines).replace("builder: pyinstaller", "builder: cx_freeze\n  shape: dir")
    assert "cx_freeze" in text
    file.write_text(text + "\n")
    return folder / "hello"


@pytest.mark.slow
def test_the_same_sources_give_the_same_plugin_anywhere_without_binutils(command, tmp_path):
    archives = []
    for number, place in enumerate(("one", "two/in a deeper place")):
        folder = project(command, tmp_path / place)
        for path in folder.rglob("*.py"):
            os.utime(path, (number + 1, number + 1))
        command.environ.update({"TZ": ("UTC", "Asia/Tokyo")[number], "USER": f"user{number}"})
        ran = command("build", cwd=folder, timeout=100)
        assert ran.code == 0, ran.err
        (archive,) = (folder / "dist").glob("hello.*64.tar.gz")
        archives.append(archive)
    assert archives[0].read_bytes() == archives[1].read_bytes()
    passes(command, cwd=archives[1].parents[1])
    shutil.copy(archives[0], tmp_path / "plugin.tar.gz")
    passes(command, "plugin.tar.gz", cwd=tmp_path)


def test_a_module_that_is_not_there_fails_the_build_with_its_name(command, tmp_path):
    folder = project(command, tmp_path / "one")
    file = folder / "ocm-pkg.yaml"
    text = file.read_text()
    file.write_text(text.replace("  shape: dir", "  shape: dir\n  hidden-imports: [no_such_one]"))
    ran = command("build", cwd=folder, timeout=100)
    assert ran.code == 6
    assert "no_such_one" in ran.err
    assert not list((folder / "dist").glob("hello.*"))
