"""The shape launcher: what is packed, from which parts, and what is made where that can't be."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from ocm_pkg.builders import shapes
from ocm_pkg.builders.launchers import Launcher
from ocm_pkg.builders.prebuilt import PrebuiltBuilder
from ocm_pkg.builders.shapes import ShapedBuilder, pack
from ocm_pkg.errors import BuildError, InvalidDocumentError, ToolMissingError, UnsafeArchiveError
from ocm_pkg.fs.process import Completed, ProgramTimeoutError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuildJob
from tests.fakes.binaries import elf
from tests.fakes.launchers import STUB, parts_of
from tests.fakes.plugins_to_install import CAPABILITIES
from tests.fakes.tars import program, tgz

LINUX, ARM = Platform("linux", "amd64"), Platform("linux", "arm64")


class Ready:
    """Has a launcher for every platform, or none."""

    def __init__(self, data: bytes | None = STUB):
        self.data = data

    def find(self, _job):
        return Launcher(self.data, {"launcher": "sha256:0"}) if self.data else None


@pytest.fixture
def job(tmp_path):
    project = parse_project(
        "{formatVersion: 1, component: e.com/hello, version: 1.0.0, provider: p, targets:"
        " [{platform: linux/amd64, shape: launcher, builder: prebuilt, path: made}]}",
        name="x",
    )
    work = tmp_path / "work"
    work.mkdir()
    made = tmp_path / "made"
    (made / "lib").mkdir(parents=True)
    (made / "hello").write_bytes(elf() + b"code")
    (made / "hello").chmod(0o755)
    (made / "lib/x.so").write_bytes(b"library")
    return BuildJob(project, project.targets[0], tmp_path, tmp_path / "out", work, tmp_path / "log")


@pytest.fixture
def asked(monkeypatch):
    """Programs that were asked for their capabilities; they say what ``answer`` has."""
    calls = []

    def run(argv, *, env, timeout, max_output):
        assert argv[1:] == ["capabilities"]
        assert (timeout, max_output) == (60, 8 << 20)
        calls.append(dict(env))
        if argv[0].read_bytes() == elf() + b"code":
            return run.answer
        assert argv[0].read_bytes().startswith(STUB)
        return run.packed or run.answer

    run.answer, run.packed = Completed(0, CAPABILITIES, b"", 0.1), None
    monkeypatch.setattr(shapes, "run", run)
    run.calls = calls
    return run


def builder(launchers, notes=None, host=LINUX, inner=None):
    note = [] if notes is None else notes
    environ = {"PATH": "/bin", "SECRET": "s"}
    return ShapedBuilder(inner or PrebuiltBuilder(), launchers, environ, host, note.append)


def test_a_launcher_has_its_parts_and_the_answer_of_its_program(job, asked):
    built = builder(Ready()).build(job)
    assert (built.path, built.shape, built.program) == (job.output, "launcher", None)
    assert built.path.stat().st_mode & 0o777 == 0o755
    assert built.tools == {"launcher": "sha256:0"}
    trailer, stub, answer, payload = parts_of(built.path.read_bytes())
    assert (stub, answer) == (STUB, CAPABILITIES)
    assert trailer.payload == digest_of(payload)
    assert trailer.program == "hello/hello"
    assert trailer.unpacked_size % 512 == 0
    assert "SECRET" not in asked.calls[0]


@pytest.mark.usefixtures("asked")
def test_the_same_parts_give_the_same_bytes(job):
    first = builder(Ready()).build(job).path.read_bytes()
    (job.folder / "made/lib/x.so").chmod(0o600)
    again = replace(job, output=job.folder / "again", work=job.folder / "elsewhere")
    again.work.mkdir()
    assert builder(Ready()).build(again).path.read_bytes() == first


def test_a_program_for_elsewhere_is_not_run_and_says_so(job, asked):
    notes = []
    built = builder(Ready(), notes, host=ARM).build(job)
    trailer, _, answer, _ = parts_of(built.path.read_bytes())
    assert (trailer.capabilities_size, answer, asked.calls) == (0, b"", [])
    assert "linux/amd64 does not run here" in notes[0]


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (Completed(1, CAPABILITIES, b"no module x\n", 0.1), "status 1"),
        (Completed(-11, b"", b"", 0.1), "status -11"),
        (Completed(0, b"hello", b"", 0.1), "not one JSON value"),
        (Completed(0, b"{}", b"", 0.1), "not a plugin"),
    ],
)
def test_a_program_that_does_not_say_what_it_can_do_is_not_packed(job, asked, answer, match):
    asked.answer = answer
    with pytest.raises(BuildError, match=match) as caught:
        builder(Ready()).build(job)
    assert caught.value.detail == (("no module x",) if answer.returncode == 1 else ())
    assert not job.output.exists()


def test_a_launcher_that_says_something_else_than_its_program_is_not_built(job, asked):
    asked.packed = Completed(0, CAPABILITIES + b" ", b"", 0.1)
    with pytest.raises(BuildError, match="something else than its program"):
        builder(Ready()).build(job)


def test_a_program_that_hangs_is_not_packed(job, monkeypatch):
    def run(*_arguments, **_keywords):
        raise ProgramTimeoutError("hello did not end", stderr=b"waiting\n")

    monkeypatch.setattr(shapes, "run", run)
    with pytest.raises(BuildError, match="did not end") as caught:
        builder(Ready()).build(job)
    assert caught.value.detail == ("waiting",)


def test_without_a_launcher_python_becomes_a_file_with_a_note(job):
    class Freezes:
        def build(self, given):
            return given.target.shape

    notes = []
    freezing = replace(job, target=replace(job.target, builder="pyinstaller"))
    assert builder(Ready(None), notes, inner=Freezes()).build(freezing) == "file"
    assert "linux/amd64 is built as shape file" in notes[0]


def test_without_a_launcher_a_folder_of_others_is_a_missing_tool(job):
    with pytest.raises(ToolMissingError, match="no launcher") as caught:
        builder(Ready(None)).build(job)
    assert "Go" in str(caught.value.hint)


def test_other_shapes_are_left_to_the_builder(job):
    folder = replace(job, target=replace(job.target, shape="dir"))
    assert builder(Ready(None)).build(folder).shape == "dir"


@pytest.mark.parametrize("system", ["darwin", "freebsd"])
def test_there_is_no_launcher_for_systems_where_it_is_not_proven(job, system):
    target = replace(job.target, platform=Platform(system, "amd64"))
    reason = builder(Ready()).missing(target, LINUX)
    assert f"not made for {system}" in str(reason)
    assert ("signing" in str(reason)) == (system == "darwin")
    assert builder(Ready()).missing(replace(target, shape="file"), LINUX) is None
    assert builder(Ready()).missing(job.target, LINUX) is None


def test_A_a_payload_that_is_no_gzip_or_a_program_outside_is_not_packed(tmp_path):
    payload = tmp_path / "payload"
    payload.write_bytes(b"no gzip")
    with pytest.raises(UnsafeArchiveError):
        pack(io.BytesIO(), STUB, b"", payload, "hello/hello")
    payload.write_bytes(tgz(program()))
    with pytest.raises(InvalidDocumentError):
        pack(io.BytesIO(), STUB, b"", payload, "../hello")
