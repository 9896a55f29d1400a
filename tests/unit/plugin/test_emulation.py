"""How programs for other processors are run, and why some are not."""

from __future__ import annotations

import pytest

from ocm_pkg.model.platform import Platform
from ocm_pkg.plugin.emulation import Machine
from tests.fakes.binaries import elf
from tests.fakes.elffiles import elf_file, one_file
from tests.fakes.plugins import write_program

ARM, AMD = Platform("linux", "arm64"), Platform("linux", "amd64")
LOADER = "/lib64/ld-linux-x86-64.so.2"
ENTRY = """\
enabled
interpreter /usr/bin/qemu-x86_64-static
flags: F
offset 0
magic 7f454c4602010100000000000000000002003e00
mask fffffffffffefe00fffffffffffffffffeffffff
"""


class World:
    """An arm64 machine in a folder: tools, libraries, registrations."""

    def __init__(self, folder):
        self.folder = folder
        self.tools = folder / "bin"
        self.tools.mkdir()
        self.registrations = folder / "binfmt_misc"
        self.machine = Machine(ARM, {"PATH": str(self.tools)}, self.registrations, folder)

    def tool(self, name):
        return write_program(self.tools, name, "#!/bin/sh\n")

    def library(self, path):
        path = self.folder / path.lstrip("/")
        path.parent.mkdir(parents=True)
        path.touch()

    def register(self, entry=ENTRY, status="enabled\n"):
        self.registrations.mkdir()
        (self.registrations / "status").write_text(status)
        (self.registrations / "register").touch(0o200)
        (self.registrations / "qemu-x86_64").write_text(entry)

    def way(self, data, platform=AMD):
        program = self.folder / "program"
        program.write_bytes(data)
        return self.machine.way_for(program, platform)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_program_for_this_machine_is_run_as_it_is(world):
    way = world.way(elf(183), ARM)
    assert (way.prefix, way.how, way.problem) == ((), "", None)


@pytest.mark.parametrize("system", ["windows", "darwin", "freebsd"])
def test_a_program_for_another_system_can_not_be_run(world, system):
    world.tool("qemu-x86_64")
    problem = world.way(elf(), Platform(system, "amd64")).problem
    assert problem == f"it is for {system}/amd64, and this machine is linux/arm64"


@pytest.mark.parametrize("name", ["qemu-x86_64-static", "qemu-x86_64"])
def test_a_static_program_is_run_by_the_qemu_on_path(world, name):
    qemu = world.tool(name)
    way = world.way(elf_file())
    assert (way.prefix, way.how, way.problem) == ((str(qemu),), f"by {name}", None)
    assert not way.starts_others


def test_without_an_emulator_the_reason_is_that(world):
    problem = world.way(elf_file()).problem
    assert "no qemu-x86_64-static is on PATH" in str(problem)


def test_a_dynamic_program_gets_the_libraries_of_its_platform(world):
    world.tool("qemu-x86_64-static")
    assert "libc6-amd64-cross" in str(world.way(elf_file(interpreter=LOADER)).problem)
    world.library("usr/x86_64-linux-gnu" + LOADER)
    way = world.way(elf_file(interpreter=LOADER))
    assert way.prefix[1:] == ("-L", str(world.folder / "usr/x86_64-linux-gnu"))
    world.library(LOADER)
    assert world.way(elf_file(interpreter=LOADER)).prefix[1:] == ()


def test_a_program_that_starts_itself_again_needs_the_kernel_to_know_the_emulator(world):
    world.tool("qemu-x86_64-static")
    bundle = one_file(elf_file(), {})
    assert "boot loader starts itself again" in str(world.way(bundle).problem)
    world.register()
    way = world.way(bundle)
    assert (way.prefix, way.problem, way.starts_others) == ((), None, True)
    assert "binfmt_misc" in way.how


def test_libraries_reach_a_program_that_the_kernel_starts(world):
    env = world.tool("env")
    world.register()
    world.library("usr/x86_64-linux-gnu" + LOADER)
    root = world.folder / "usr/x86_64-linux-gnu"
    way = world.way(elf_file(interpreter=LOADER))
    assert way.prefix == (str(env), f"QEMU_LD_PREFIX={root}")
