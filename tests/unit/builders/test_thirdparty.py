"""Builders of other packages, by entry point."""

from __future__ import annotations

import importlib.metadata
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ocm_pkg.builders.registry import all_builders
from ocm_pkg.builders.result import take
from ocm_pkg.builders.source import load_project
from ocm_pkg.builders.thirdparty import is_installed, load_builder
from ocm_pkg.errors import (
    BinaryPlatformError,
    BuildError,
    ConfigError,
    FileMissingError,
    InvalidDocumentError,
)
from ocm_pkg.model.documents import PROVENANCE, SBOM
from ocm_pkg.model.platform import Platform
from ocm_pkg.ports import BuildJob, BuiltBinary, BuiltDocument
from tests.fakes.binaries import elf, pe

MODULE = """\
from ocm_pkg.builders.result import take
from ocm_pkg.errors import FileMissingError

class Acme:
    def __init__(self, environ):
        self.environ = environ
    def missing(self, target, host):
        return None if target.platform == host else "only here\\x1b"
    def build(self, job):
        made = job.work / "made"
        made.write_bytes(bytes.fromhex(job.target.settings["hex"]))
        return take(job, made, {"acme": "1", "color": self.environ["COLOR"]})

class Other:
    answer = None
    def __init__(self, environ): pass
    def missing(self, target, host): return self.answer
    def build(self, job):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

def broken(environ):
    raise RuntimeError("no \\x1blicence")

def licence(environ):
    raise FileMissingError("there is no licence", hint="buy one")

def nothing(environ):
    return object()
"""
POINTS = """\
[ocm_pkg.builders]
acme = acme_builder:Acme
other = acme_builder:Other
broken = acme_builder:broken
nothing = acme_builder:nothing
licence = acme_builder:licence
gone = acme_builder:gone
absent = acme_absent:Builder
text = acme_builder:__name__
"""
PROJECT = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: p
build: {{builder: {builder}, entry: a.py, settings: {{hex: "{content}", deep: {{a: [1]}}}}}}
targets: [linux/amd64]
"""
HOST = Platform("linux", "amd64")


def distribution(folder, name, points):
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    folder = tmp_path / "packages"
    distribution(folder, "acme", POINTS)
    (folder / "acme_builder.py").write_text(MODULE)
    monkeypatch.syspath_prepend(folder)
    yield folder
    sys.modules.pop("acme_builder", None)


def project_in(tmp_path, builder="acme"):
    text = PROJECT.format(builder=builder, content=elf().hex())
    (tmp_path / "ocm-pkg.yaml").write_text(text)
    return load_project(tmp_path).project


def job_of(tmp_path, **keywords):
    project = project_in(tmp_path, **keywords)
    work = tmp_path / "work"
    work.mkdir()
    return BuildJob(project, project.targets[0], tmp_path, tmp_path / "out", work, tmp_path / "log")


def builders(tmp_path, *names):
    environ = {"COLOR": "red"}
    return all_builders(host=HOST, environ=environ, cache=tmp_path, python="python3", names=names)


@pytest.mark.usefixtures("packages")
def test_a_builder_of_another_package_builds_with_its_settings(tmp_path):
    job = job_of(tmp_path)
    assert (job.target.builder, job.target.entry) == ("acme", "a.py")
    assert job.target.settings["deep"] == {"a": [1]}
    acme = builders(tmp_path, "acme")["acme"]
    assert acme.missing(job.target, HOST) is None
    assert acme.missing(job.target, Platform("linux", "arm64")) == "only here\\x1b"
    built = acme.build(job)
    assert built.path.read_bytes() == elf()
    assert built.tools == {"acme": "1", "color": "red"}


@pytest.mark.usefixtures("packages")
def test_it_is_loaded_only_if_a_project_names_it(tmp_path):
    assert "acme" not in builders(tmp_path, "command", "prebuilt")
    project_in(tmp_path)
    assert is_installed("acme")
    assert "acme_builder" not in sys.modules
    assert "acme" in builders(tmp_path, "acme")
    assert "acme_builder" in sys.modules


def test_a_builder_that_no_package_has_is_a_mistake_in_the_project_file(tmp_path):
    with pytest.raises(InvalidDocumentError, match="'acme' is not supported") as caught:
        project_in(tmp_path)
    assert str(caught.value.at).endswith("ocm-pkg.yaml:5:9")
    assert "packages that are installed" in str(caught.value.hint)
    with pytest.raises(ConfigError, match="no builder acme"):
        load_builder("acme", {})


def test_builders_of_our_own_take_no_settings_and_cannot_be_replaced(packages, tmp_path):
    with pytest.raises(InvalidDocumentError, match="settings is not read by"):
        project_in(tmp_path, "pyinstaller")
    distribution(packages, "evil", "[ocm_pkg.builders]\nprebuilt = acme_builder:broken\n")
    assert "prebuilt" in builders(tmp_path, "prebuilt")
    assert "acme_builder" not in sys.modules


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("broken", r"broken of acme can't be used: RuntimeError: no \\x1blicence"),
        ("nothing", "has no missing"),
        ("gone", "AttributeError"),
        ("absent", "ModuleNotFoundError"),
        ("text", "TypeError"),
    ],
)
@pytest.mark.usefixtures("packages")
def test_a_broken_entry_point_is_named_with_its_package(name, says):
    with pytest.raises(ConfigError, match=says) as caught:
        load_builder(name, {})
    assert (caught.value.exit_code, caught.value.hint) == (
        2,
        "update acme, or tell its authors",
    )


@pytest.mark.usefixtures("packages")
def test_an_error_of_ours_that_it_raises_is_kept():
    with pytest.raises(FileMissingError, match="there is no licence") as caught:
        load_builder("licence", {})
    assert caught.value.hint == "buy one"


def test_packages_that_cannot_be_listed_are_an_error_of_the_configuration(monkeypatch):
    def damaged(**_):
        raise ValueError("no such line")

    monkeypatch.setattr(importlib.metadata, "entry_points", damaged)
    with pytest.raises(ConfigError, match="can't be listed: ValueError: no such line"):
        is_installed("acme")


@pytest.mark.usefixtures("packages")
def test_a_folder_is_packed_like_that_of_any_builder(tmp_path):
    job = job_of(tmp_path)
    job = replace(job, target=replace(job.target, shape="dir"))
    (tmp_path / "made").mkdir()
    (tmp_path / "made/hello").write_bytes(elf())
    other = load_builder("other", {})
    sys.modules["acme_builder"].Other.answer = take(job, tmp_path / "made", {})
    assert other.build(job).program == "hello/hello"


def test_a_name_that_two_packages_have_is_refused(packages):
    distribution(packages, "beta", "[ocm_pkg.builders]\nacme = acme_builder:Acme\n")
    with pytest.raises(ConfigError, match="in several packages: acme, beta"):
        load_builder("acme", {})


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (1, "missing returned int"),
        (ValueError("no"), "missing returned ValueError"),
    ],
)
@pytest.mark.usefixtures("packages")
def test_an_answer_that_is_none_is_a_build_error(tmp_path, answer, says):
    other = load_builder("other", {})
    sys.modules["acme_builder"].Other.answer = answer
    with pytest.raises(BuildError, match=says):
        other.missing(job_of(tmp_path).target, HOST)


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (None, BuildError, "build returned NoneType"),
        (ValueError("bad\x1b"), BuildError, r"other failed: ValueError: bad\\x1b"),
        (FileMissingError("x is missing"), FileMissingError, "x is missing"),
    ],
)
@pytest.mark.usefixtures("packages")
def test_what_goes_wrong_in_it_is_a_build_error(tmp_path, answer, error, says):
    other = load_builder("other", {})
    sys.modules["acme_builder"].Other.answer = answer
    with pytest.raises(error, match=says):
        other.build(job_of(tmp_path))


FOUND = BuiltDocument(SBOM, Path(__file__))
LOST = BuiltDocument(SBOM, Path("nowhere"))


@pytest.mark.parametrize(
    ("change", "content", "error", "says"),
    [
        ({}, None, BuildError, "left no out"),
        ({"path": "elsewhere"}, elf(), BuildError, "left no out"),
        ({"platform": Platform("linux", "arm64")}, elf(), BuildError, "built linux/arm64 as file"),
        ({"shape": "dir"}, elf(), BuildError, "built linux/amd64 as dir"),
        ({"program": "x"}, elf(), BuildError, "its program is x, not None"),
        ({"glibc": "new"}, elf(), BuildError, "'new' is not a version"),
        ({"documents": (LOST,)}, elf(), BuildError, "documents must be files"),
        ({"documents": (FOUND, FOUND)}, elf(), BuildError, "one of a kind: sbom, licences"),
        ({"documents": (replace(FOUND, kind=PROVENANCE),)}, elf(), BuildError, "one of a kind"),
        ({}, pe(), BinaryPlatformError, "is for windows/amd64"),
    ],
)
@pytest.mark.usefixtures("packages")
def test_a_binary_that_is_not_what_was_asked_for_is_refused(tmp_path, change, content, error, says):
    job = job_of(tmp_path)
    if content is not None:
        job.output.write_bytes(content)
    other = load_builder("other", {})
    made = {"path": job.output, "platform": HOST, "shape": "file", **change}
    sys.modules["acme_builder"].Other.answer = BuiltBinary(**made)
    with pytest.raises(error, match=says):
        other.build(job)
