"""A plugin as a folder, the whole way: built twice, tried, packaged, signed, installed, called."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.fakes.command import Command
from tests.fakes.contract import passes

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("objdump") is None,
    reason="needs Linux with binutils",
)
REF = "ctf//example.com/plugins/hello"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("folder")
    command = Command(root / "home")
    assert command("init", "hello", cwd=root).code == 0
    folder = root / "hello"
    ran = command("build", "--shape", "dir", "-o", "json", cwd=folder, timeout=100)
    assert ran.code == 0, ran.err
    return command, folder


@pytest.mark.slow
def test_a_folder_goes_from_the_build_to_a_running_plugin(built):
    command, folder = built
    (archive,) = (folder / "dist").glob("hello.*64.tar.gz")
    part = json.loads((folder / "dist/part.json").read_text())["targets"][0]
    assert (part["shape"], part["program"]) == ("dir", "hello/hello")
    assert command("check", cwd=folder).code == 0
    passes(command, cwd=folder)
    passes(command, f"dist/{archive.name}", cwd=folder)
    for words in (("package", "--partial"), ("key", "new"), ("sign", "cv", REF)):
        assert command(*words, cwd=folder).code == 0
    installed = command("plugin", "install", REF, "-o", "json", cwd=folder).json
    assert installed["verified"] == ["signature", "digest", "platform", "capabilities"]
    link = Path(installed["path"])
    assert (link.resolve().parent / "_internal").is_dir()
    call = ("plugin", "call", "hello", "GET", "/component-versions?name=example.com%2Fgreeting")
    assert command(*call, cwd=folder).code == 0
    library = next(link.resolve().parent.glob("_internal/libpython*"))
    library.chmod(0o644)
    library.write_bytes(b"")
    listed = command("plugin", "list", "-o", "json", cwd=folder).json
    assert listed[0]["state"] == "changed"
    assert command("plugin", "install", REF, cwd=folder).code == 0
    assert command("plugin", "remove", "hello", cwd=folder).code == 0
    assert not list((folder.parent / "home").rglob("_internal"))


@pytest.mark.slow
def test_the_same_sources_give_the_same_archive_elsewhere(built, tmp_path):
    command, folder = built
    assert command("init", "hello", cwd=tmp_path).code == 0
    there = tmp_path / "hello"
    assert command("build", "--shape", "dir", cwd=there, timeout=100).code == 0
    names = [next((one / "dist").glob("hello.*64.tar.gz")) for one in (folder, there)]
    assert names[0].read_bytes() == names[1].read_bytes()
