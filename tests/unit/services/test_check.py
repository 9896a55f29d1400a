"""Every finding has a place and a fix."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import ConfigError, InvalidDocumentError
from ocm_pkg.model import yamltext
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.part import BuiltTarget, Part
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import read_project
from ocm_pkg.services.check import Checked, check, unreadable
from tests.fakes.binaries import elf, pe

YAML = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build:
  entry: hello.py
  requirements: requirements.lock
targets:
  - linux/amd64
  - {platform: windows/amd64, builder: prebuilt, path: hello.exe}
assets:
  - {name: docs, path: docs}
"""
CONFIG = digest_of(b"config")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hello.py").write_text("print()\n")
    (tmp_path / "requirements.lock").write_text(
        "# locked\nx==1 \\\n    --hash=sha256:00\ny==2 --hash=sha256:11\n"
    )
    (tmp_path / "hello.exe").write_bytes(pe())
    (tmp_path / "docs").mkdir()
    return tmp_path


def run(folder, version=lambda: "1.0.0", lock=lambda: None):
    document = yamltext.load(YAML, name="ocm-pkg.yaml")
    project = read_project(document)
    checked = Checked(project, document, folder, folder / "dist", CONFIG, version, lock)
    return [(finding.message, finding.at) for finding in check(checked)]


def test_a_good_project_has_no_findings(folder):
    assert run(folder) == []


def test_missing_files_are_found_where_they_are_named(folder):
    for name in ("hello.py", "requirements.lock", "hello.exe"):
        (folder / name).unlink()
    (folder / "docs").rmdir()
    assert run(folder) == [
        ("entry: there is no file hello.py", "ocm-pkg.yaml:6:3"),
        ("requirements: there is no file requirements.lock", "ocm-pkg.yaml:7:3"),
        ("path: there is no file hello.exe", "ocm-pkg.yaml:10:50"),
        ("asset docs: there is no folder docs", "ocm-pkg.yaml:12:18"),
    ]


def test_a_syntax_error_is_found_in_the_source(folder):
    (folder / "hello.py").write_text("a = 1\nb = (\n")
    ((message, at),) = run(folder)
    assert message.startswith("not Python")
    assert at == f"{folder / 'hello.py'}:2:5"
    (folder / "hello.py").write_bytes(b"\0")
    assert len(run(folder)) == 1


def test_a_requirement_without_hash_is_found(folder):
    lock = folder / "requirements.lock"
    lock.write_text("x==1\n-r other\ny==2 --hash=sha256:11\nz==3 \\\n  ; python_version\n")
    assert run(folder) == [
        ("x==1 has no hash", f"{lock}:1:1"),
        ("z==3 has no hash", f"{lock}:4:1"),
    ]


@pytest.mark.parametrize(("content", "says"), [(elf(), "linux/amd64"), (b"x", "no program")])
def test_a_prebuilt_binary_for_another_platform_is_found(folder, content, says):
    (folder / "hello.exe").write_bytes(content)
    ((message, at),) = run(folder)
    assert says in message
    assert at == "ocm-pkg.yaml:10:50"


def test_a_version_that_is_not_there_is_found(folder):
    def version():
        raise ConfigError("the variable is not set", hint="set it")

    assert run(folder, version) == [("the variable is not set", "ocm-pkg.yaml:3:1")]


def part(folder, *targets, version="1.0.0", config=CONFIG):
    (folder / "dist").mkdir()
    document = Part("example.com/plugins/hello", version, None, config, None, targets)
    (folder / "dist/part.json").write_bytes(document.encode())


def target(os):
    return BuiltTarget(Platform(os, "amd64"), digest_of(b"x"), 1, "file", "command")


def test_what_is_built_is_checked(folder):
    part(folder, target("linux"), version="2.0.0", config=digest_of(b"other"))
    (folder / "dist/hello.linux-amd64").write_bytes(b"y")
    messages = [message for message, _at in run(folder)]
    assert messages == [
        "it was built from another project file",
        "it was built from another version, 2.0.0 (now 1.0.0)",
        "hello.linux-amd64 was changed after it was built",
        "there is no binary for windows/amd64",
    ]


def test_other_requirements_are_found(folder):
    part(folder, target("linux"), target("windows"))
    messages = [message for message, _at in run(folder, lock=lambda: digest_of(b"new"))]
    assert messages == [
        "it was built from another requirements",
        "hello.linux-amd64 is listed, but is not there",
        "hello.windows-amd64.exe is listed, but is not there",
    ]


def test_a_report_that_is_broken_is_found(folder):
    (folder / "dist").mkdir()
    (folder / "dist/part.json").write_text("{")
    ((message, at),) = run(folder)
    assert "not JSON" in message
    assert "part.json" in at


def test_a_project_file_that_cannot_be_read_is_one_finding(folder):
    error = InvalidDocumentError("wrong", at="x:1:2", hint="repair")
    assert unreadable(error, folder).to_json() == {
        "code": "E230",
        "message": "wrong",
        "at": "x:1:2",
        "fix": "repair",
    }
