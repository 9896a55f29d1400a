"""What is left beside a frozen binary: an SBOM of what is in it, and the licence texts."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ocm_pkg import __version__
from ocm_pkg.builders import documented
from ocm_pkg.builders.documented import CYCLONEDX, DocumentedBuilder, taken_files
from ocm_pkg.builders.interpreter import CX_FREEZE, PYINSTALLER, Interpreter
from ocm_pkg.builders.result import TAKEN
from ocm_pkg.errors import BuildError, InvalidDocumentError, ToolMissingError
from ocm_pkg.fs.process import ProgramStartError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuildJob, BuiltBinary
from tests.unit.builders.test_distributions import install

ANSWER = {
    "bomFormat": "CycloneDX",
    "components": [
        {"type": "library", "bom-ref": name, "name": name, "version": "1.0"}
        for name in ("inside", "outside")
    ],
}


@pytest.fixture
def job(tmp_path):
    project = parse_project(
        "{formatVersion: 1, component: e.com/hello, version: 1.0.0, provider: p,"
        " build: {entry: hello.py, requirements: a.lock}, targets: [linux/amd64]}",
        name="x",
    )
    (tmp_path / "a.lock").write_text("outside==1.0 --hash=sha256:00\n")
    work = tmp_path / "work"
    work.mkdir()
    log = tmp_path / "log"
    return BuildJob(project, project.targets[0], tmp_path, tmp_path / "out", work, log, "1.0.0")


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A Python with two packages, and a tool that lists them; what is run is kept."""
    site, stdlib = tmp_path / "site", tmp_path / "stdlib"
    install(site, "inside", ("inside.py",), ("licenses/LICENSE",))
    install(site, "outside", ("outside.py",), ("licenses/LICENSE",))
    stdlib.mkdir()
    (stdlib / "LICENSE.txt").write_text("of Python")
    found = SimpleNamespace(
        notes=[],
        argv=[],
        answer=SimpleNamespace(stdout=json.dumps(ANSWER).encode(), stderr=b"", returncode=0),
        site=site,
        stdlib=stdlib,
        taken=[f"{site}/inside.py"],
        own=Interpreter("/py-cyclonedx", "3.11.7", "7.5.0", True, CYCLONEDX),
    )

    def run(argv, **_options):
        found.argv.append(argv)
        return found.answer

    monkeypatch.setattr(documented, "run", run)
    return found


class FakeFreezer:
    def __init__(self, world):
        self.world = world

    def missing(self, _target, host):
        return f"not on {host}"

    def inputs(self, _job):
        return {"source": "x"}

    def build(self, job):
        job.output.write_bytes(b"binary")
        if self.world.taken is not None:
            (job.work / TAKEN).write_text(json.dumps(self.world.taken))
        return BuiltBinary(job.output, job.target.platform, "file", {"python": "3.11.7"})


class FakeInterpreters:
    def __init__(self, found, environ=None):
        self.found = found
        self.environ = environ or {"PATH": "/nowhere"}

    def for_job(self, _job):
        return self.found

    def state_of_own(self):
        return "7.5.0"

    def of_own(self, _job):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def builder(world, freezer=PYINSTALLER, environ=None):
    frozen = Interpreter("/py", "3.11.7", "6", True, freezer, {}, (world.site,), world.stdlib)
    return DocumentedBuilder(
        FakeFreezer(world),
        FakeInterpreters(frozen),
        FakeInterpreters(world.own, environ),
        world.notes.append,
    )


def sbom_in(built):
    (path,) = [one.path for one in built.documents if one.kind.name == "sbom"]
    return json.loads(path.read_bytes())


def licences_in(built):
    (path,) = [one.path for one in built.documents if one.kind.name == "licences"]
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as archive:
        return {
            member.name: archive.extractfile(member).read().decode()
            for member in archive
            if member.isfile()
        }


def listed(built):
    return [entry["bom-ref"] for entry in sbom_in(built)["components"]]


def test_the_sbom_lists_the_packages_whose_files_were_taken(job, world):
    built = builder(world).build(job)
    assert listed(built) == ["inside@1.0", "python@3.11.7"]
    main = sbom_in(built)["metadata"]["component"]
    assert (main["name"], main["version"]) == ("e.com/hello", "1.0.0")
    assert main["hashes"][0]["content"] == digest_of(b"binary").hex
    assert built.tools["cyclonedx-bom"] == "7.5.0"
    (argv,) = world.argv
    assert (argv[0], argv[-1]) == ("/py-cyclonedx", "/py")
    assert "--output-reproducible" in argv
    assert not world.notes


def test_the_licence_texts_are_of_the_same_packages_and_of_python(job, world):
    assert licences_in(builder(world).build(job)) == {
        "inside-1.0/LICENSE": "licenses/LICENSE",
        "python-3.11.7/LICENSE.txt": "of Python",
    }


def test_an_sdk_that_was_copied_in_is_listed_with_its_licence(job, world):
    (job.work / "sdk").mkdir()
    install(world.site, "ocm_pkg", ("ocm.py",))
    world.taken.append(f"{world.site}/ocm.py")
    built = builder(world).build(job)
    assert f"ocm-pkg@{__version__}" in listed(built)
    own = licences_in(built)[f"ocm-pkg-{__version__}/LICENSE.txt"]
    assert own == (Path(__file__).parents[3] / "LICENSE").read_text()


def test_where_no_list_was_left_the_lock_says_what_is_in(job, world):
    world.taken = None
    assert listed(builder(world).build(job)) == ["outside@1.0", "python@3.11.7"]


def test_where_nothing_says_what_is_in_there_are_no_documents(job, world):
    world.taken = None
    plain = replace(job, target=replace(job.target, requirements=None))
    built = builder(world).build(plain)
    assert built.documents == ()
    assert "not known what is in" in world.notes[0]


def test_without_any_licence_text_there_is_no_archive(job, world):
    world.taken = []
    (world.stdlib / "LICENSE.txt").unlink()
    assert [one.kind.name for one in builder(world).build(job).documents] == ["sbom"]


@pytest.mark.parametrize("error", [BuildError("offline"), ToolMissingError("offline")])
def test_without_the_tool_there_is_a_note_and_no_sbom(job, world, error):
    world.own = error
    built = builder(world).build(job)
    assert [one.kind.name for one in built.documents] == ["licences"]
    assert world.notes == ["linux/amd64 is built without an SBOM: offline"]
    assert "cyclonedx-bom" not in built.tools


def test_a_tool_that_fails_fails_the_build_and_shows_its_end(job, world):
    world.answer = SimpleNamespace(stdout=b"", stderr=b"one\ntwo", returncode=2)
    with pytest.raises(BuildError, match="status 2") as caught:
        builder(world).build(job)
    assert caught.value.detail == ("one", "two")


def test_a_tool_that_answers_something_else_fails_the_build(job, world):
    world.answer.stdout = b"[]"
    with pytest.raises(InvalidDocumentError, match="cyclonedx-py"):
        builder(world).build(job)


def test_a_tool_that_does_not_start_fails_the_build(job, world, monkeypatch):
    def run(argv, **_options):
        raise ProgramStartError(f"{argv[0]} does not start")

    monkeypatch.setattr(documented, "run", run)
    with pytest.raises(BuildError, match="does not start"):
        builder(world).build(job)


def test_the_same_packages_give_the_same_bytes(job, world, tmp_path):
    before = [one.path.read_bytes() for one in builder(world).build(job).documents]
    for path in world.site.rglob("*"):
        path.touch()
        path.chmod(0o755)
    again = replace(job, work=tmp_path / "again")
    again.work.mkdir()
    assert [one.path.read_bytes() for one in builder(world).build(again).documents] == before


@pytest.mark.parametrize(("freezer", "known"), [(PYINSTALLER, True), (CX_FREEZE, False)])
def test_the_tool_that_strips_is_named_where_it_is_used(job, world, tmp_path, freezer, known):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/strip").touch(mode=0o755)
    world.answer.stdout = b"GNU strip 2.40\n{}"
    world.own = BuildError("no tool")
    built = builder(world, freezer, {"PATH": str(tmp_path / "bin")}).build(job)
    assert built.tools.get("strip") == ("GNU strip 2.40" if known else None)


def test_what_it_depends_on_includes_the_tool(job, world):
    made = builder(world)
    assert made.inputs(job) == {"source": "x", "/tool cyclonedx-bom": "7.5.0"}
    assert made.missing(job.target, "mac") == "not on mac"
    made.inner.inputs = lambda _job: None
    assert made.inputs(job) is None


def test_pyinstaller_says_in_its_own_list_which_files_it_took(job):
    assert taken_files(job) is None
    folder = job.work / "build/hello"
    folder.mkdir(parents=True)
    (folder / "Analysis-00.toc").write_text(
        "(['/src/hello.py'], ['/src'], [], {}, False,"
        " [('six', '/site/six.py', 'PYMODULE'), ('a', '/site/a.so', 'EXTENSION')],"
        " [('d/x', '/data', 'DATA')])"
    )
    assert taken_files(job) == {"/site/six.py", "/site/a.so", "/data"}


@pytest.mark.parametrize("text", ["", "(", "open('x')", "(" * 100_000])
def test_a_list_of_another_form_says_nothing(job, text):
    folder = job.work / "build/hello"
    folder.mkdir(parents=True)
    (folder / "Analysis-00.toc").write_text(text)
    assert taken_files(job) is None
