"""``ocm-pkg test`` of everything that was built: run here, emulated, or named as not run."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import IntegrityError
from ocm_pkg.model.platform import Platform
from ocm_pkg.plugin.contract_results import Binary, binary_of, contract_results
from ocm_pkg.plugin.emulation import Machine
from ocm_pkg.plugin.limits import Limits
from tests.fakes.binaries import elf
from tests.fakes.command import Command
from tests.fakes.launcher_plugin import HOST, MARKS, real_launcher
from tests.fakes.launchers import launcher
from tests.fakes.plugins import own_children, write_plugin, write_program
from tests.fakes.tars import program, tgz
from tests.fakes.trees import names

if TYPE_CHECKING:
    from pathlib import Path

QUICK = Limits(probe=3, start=3, grace=1)
FOREIGN = Platform("linux", "s390x" if HOST.architecture != "s390x" else "amd64")
QEMU = "qemu-s390x-static" if HOST.architecture != "s390x" else "qemu-x86_64-static"
HEADER = elf(22, 2, 2) if HOST.architecture != "s390x" else elf()
PROJECT = f"""\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build: {{builder: prebuilt}}
targets:
  - {{platform: {HOST}, path: here}}
  - {{platform: {FOREIGN}, path: there}}
"""


@pytest.fixture(autouse=True)
def _no_process_is_left():
    before = own_children()
    yield
    assert own_children() <= before


class World:
    """A plugin, a machine that finds it behind the name of an emulator, and a private home."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.plugin = write_plugin(root, "plugin")
        self.home = root / "home"
        self.home.mkdir()
        self.tools = root / "tools"
        self.machine = Machine(
            HOST, {"PATH": str(self.tools), "HOME": str(self.home)}, root / "binfmt"
        )

    def emulator(self, plugin: Path | None = None) -> None:
        """Put an emulator on PATH: it starts a plugin in place of the program that it is given."""
        text = (
            f'#!/bin/sh\necho "$1" >> {self.root}/ran\nshift\nexec {plugin or self.plugin} "$@"\n'
        )
        write_program(self.tools, QEMU, text)

    def answer(self) -> bytes:
        return subprocess.run([self.plugin, "capabilities"], capture_output=True, check=True).stdout

    def launcher(self, capabilities: bytes, content: bytes | None = None, **lies) -> Path:
        path = self.root / "launcher"
        packed = tgz(program(content=content or self.plugin.read_bytes()))
        data = launcher(packed, capabilities=capabilities, **lies)
        path.write_bytes(data)
        path.chmod(0o755)
        return path

    def results(self, *binaries: Binary, **options):
        return contract_results(binaries, machine=self.machine, limits=QUICK, **options)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def by_name(result):
    return {check.check: check.result for check in result.checks}


def test_a_plugin_is_run_as_it_is_and_says_so_of_none(world):
    begun = []
    binary = Binary(world.plugin, "file", HOST)
    (result,) = world.results(binary, begin=begun.append)
    assert (result.result, result.detail, result.platform) == ("ok", "", HOST)
    assert by_name(result)["start"] == "ok"
    assert begun == [binary]


def test_a_program_for_elsewhere_is_skipped_with_the_reason(world):
    there = world.root / "there"
    there.write_bytes(HEADER)
    (result,) = world.results(Binary(there, "file", FOREIGN))
    assert (result.result, result.checks) == ("skipped", ())
    assert QEMU in result.detail


@pytest.mark.parametrize("shape", ["file", "dir"])
def test_a_program_for_elsewhere_is_run_by_an_emulator(world, shape):
    world.emulator()
    there = world.root / ("there" if shape == "file" else "there.tar.gz")
    there.write_bytes(HEADER if shape == "file" else tgz(program(content=HEADER)))
    (result,) = world.results(Binary(there, shape))
    assert (result.result, result.platform) == ("ok", FOREIGN)
    assert result.detail == f"by {QEMU}"
    ran = set((world.root / "ran").read_text().splitlines())
    assert len(ran) == 1
    assert (ran == {str(there)}) == (shape == "file")


def test_an_emulated_plugin_that_fails_has_failed(world):
    world.emulator(write_plugin(world.root, "bad", die="start"))
    there = world.root / "there"
    there.write_bytes(HEADER)
    (result,) = world.results(Binary(there, "file"))
    assert result.result == "failed"
    assert by_name(result) == {"capabilities": "ok", "start": "failed"}


def test_the_program_of_a_launcher_for_elsewhere_is_held_against_what_the_launcher_says(world):
    world.emulator()
    path = world.launcher(world.answer(), HEADER, stub=HEADER)
    (result,) = world.results(Binary(path, "launcher", FOREIGN))
    assert result.result == "ok", result.checks
    assert by_name(result)["embedded capabilities"] == "ok"
    assert "first start" not in by_name(result)
    other = world.launcher(b'{"type":{"Other/v1":["generic"]}}', HEADER, stub=HEADER)
    (result,) = world.results(Binary(other, "launcher", FOREIGN))
    assert (result.result, by_name(result)["embedded capabilities"]) == ("failed", "failed")


def test_a_launcher_without_an_answer_asks_its_program(world):
    world.emulator()
    path = world.launcher(b"", HEADER, stub=HEADER)
    (result,) = world.results(Binary(path, "launcher", FOREIGN))
    assert (result.result, result.checks[0].detail) == ("ok", "none: the program is asked")


def test_a_launcher_that_was_changed_is_not_run(world):
    path = world.launcher(world.answer())
    data = bytearray(path.read_bytes())
    data[-500] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError):
        world.results(Binary(path, "launcher", HOST))


@pytest.mark.parametrize("lies", [False, True], ids=["true", "a lie"])
def test_a_launcher_is_started_with_an_empty_cache_and_its_answer_compared(world, lies):
    for mark in MARKS:
        if mark.args[0]:
            pytest.skip(mark.kwargs["reason"])
    answer = b'{"type":{"Other/v1":["generic"]}}' if lies else world.answer()
    path = world.launcher(answer, stub=real_launcher(world.root))
    (result,) = world.results(binary_of(path))
    assert result.platform == HOST
    assert result.result == ("failed" if lies else "ok"), result.checks
    assert list(by_name(result))[:3] == ["embedded capabilities", "first start", "capabilities"]
    assert by_name(result)["embedded capabilities"] == ("failed" if lies else "ok")
    assert names(world.home) == []


def ran(command, *words, cwd, code=0):
    done = command("test", *words, cwd=cwd)
    assert done.code == code, done.err
    return done


@pytest.fixture
def project(world):
    """A project with a plugin for this machine and one for another, built; and the command."""
    folder = world.root / "hello"
    (folder / "dist").mkdir(parents=True)
    (folder / "ocm-pkg.yaml").write_text(PROJECT)
    here, there = (f"hello.{one.os}-{one.architecture}" for one in (HOST, FOREIGN))
    write_plugin(folder / "dist", here)
    (folder / "dist" / there).write_bytes(HEADER)
    targets = [
        {"platform": str(one), "digest": "sha256:" + "0" * 64, "size": 1, "shape": "file"}
        for one in (HOST, FOREIGN)
    ]
    part = {
        "formatVersion": 1,
        "component": "example.com/plugins/hello",
        "version": "1.0.0",
        "config": "sha256:" + "0" * 64,
        "targets": [{**one, "builder": "prebuilt", "tools": {}} for one in targets],
    }
    (folder / "dist/part.json").write_text(json.dumps(part))
    command = Command(world.home)
    command.environ["PATH"] = str(world.tools)
    return command, folder, there


def test_without_an_argument_all_that_was_built_is_run_or_named(project, world):
    command, folder, there = project
    alone = ran(command, "-o", "json", cwd=folder)
    assert alone.json["plugin"].startswith("hello.")
    assert alone.json["result"] == "ok"
    assert f"not tested: {there}" in alone.err
    world.emulator()
    both = ran(command, "-o", "json", cwd=folder).json
    assert (both["result"], len(both["plugins"])) == ("ok", 2)
    assert {one["result"] for one in both["plugins"]} == {"ok"}
    table = ran(command, cwd=folder)
    assert table.out.split()[:2] == ["PLUGIN", "CHECK"]
    assert f"by {QEMU}" in table.err


def test_one_that_fails_fails_the_command_and_is_named(project, world):
    command, folder, there = project
    world.emulator(write_plugin(world.root, "bad", die="start"))
    done = ran(command, cwd=folder, code=7)
    assert f"{there} fails 1 of 2 checks: start" in done.err
    said = ran(command, "-o", "json", cwd=folder, code=7).json
    assert (said["result"], [one["result"] for one in said["plugins"]]) == (
        "failed",
        sorted(["ok", "failed"], reverse=str(HOST) < str(FOREIGN)),
    )


def test_a_target_can_be_chosen_and_one_that_runs_nowhere_is_no_success(project):
    command, folder, there = project
    assert ran(command, "--target", "host", "-o", "json", cwd=folder).json["result"] == "ok"
    done = ran(command, "--target", FOREIGN, cwd=folder, code=7)
    assert f"nothing was tested: {there}" in done.err
    assert "has no binary for" in ran(command, "--target", "linux/386", cwd=folder, code=3).err
    assert ran(command, "--target", "host", f"dist/{there}", cwd=folder, code=2).err
    (folder / "dist" / there).unlink()
    assert "build it" in ran(command, cwd=folder, code=3).err
