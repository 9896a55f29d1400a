"""Where the executable of a launcher comes from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ocm_pkg.builders import launchers
from ocm_pkg.builders.launchers import SOURCE, Launchers, go_environment, source_digest
from ocm_pkg.errors import BinaryPlatformError, BuildError
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuildJob
from tests.fakes.binaries import elf, macho

LINUX = Platform("linux", "amd64")


@pytest.fixture
def job(tmp_path):
    project = parse_project(
        "{formatVersion: 1, component: e.com/hello, version: 1.0.0, provider: p, targets:"
        " [{platform: linux/amd64, shape: launcher, builder: prebuilt, path: made}]}",
        name="x",
    )
    work = tmp_path / "work"
    work.mkdir()
    return BuildJob(project, project.targets[0], tmp_path, tmp_path / "out", work, tmp_path / "log")


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "launcher"
    folder.mkdir()
    (folder / "go.mod").write_text("module x\n")
    (folder / "main.go").write_text("package main\n")
    return folder


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """A ``go`` on the search path; what it is called with, and the program that it makes."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/go").touch(0o755)
    calls = []

    def run_tool(_job, argv, **keywords):
        calls.append((argv[1:], keywords))
        if argv[1] == "env":
            return "go1.99\n"
        Path(argv[argv.index("-o") + 1]).write_bytes(elf() + b"compiled")
        return ""

    monkeypatch.setattr(launchers, "run_tool", run_tool)
    return calls


def found(source, tmp_path, path="bin"):
    return Launchers(tmp_path / "cache", {"PATH": str(tmp_path / path), "HOME": "/"}, source)


def test_one_that_the_package_has_ready_is_taken(source, job, tmp_path, compiler):
    ready = source / "bin"
    ready.mkdir()
    (ready / "linux-amd64").write_bytes(elf() + b"ready")
    (ready / "source.sha256").write_text(f"{source_digest(source)}\n")
    launcher = found(source, tmp_path).find(job)
    assert launcher.data == elf() + b"ready"
    assert launcher.tools == {"launcher": f"sha256:{hashlib.sha256(launcher.data).hexdigest()}"}
    assert compiler == []


def test_one_of_other_sources_is_not_taken(source, job, tmp_path, compiler):
    ready = source / "bin"
    ready.mkdir()
    (ready / "linux-amd64").write_bytes(elf() + b"old")
    (ready / "source.sha256").write_text(f"{source_digest(source)}\n")
    (source / "main.go").write_text("package main // changed\n")
    assert found(source, tmp_path).find(job).data == elf() + b"compiled"
    assert len(compiler) == 2


def test_it_is_compiled_once_so_that_its_bytes_depend_on_the_sources_alone(
    source, job, tmp_path, compiler
):
    launcher = found(source, tmp_path).find(job)
    assert launcher.data == elf() + b"compiled"
    assert launcher.tools["go"] == "go1.99"
    argv, keywords = compiler[1]
    assert argv[:4] == ["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="]
    assert keywords["cwd"] == source
    env = keywords["env"]
    assert (env["GOOS"], env["GOARCH"], env["CGO_ENABLED"]) == ("linux", "amd64", "0")
    assert (env["GOPROXY"], env["GOTOOLCHAIN"], env["GOFLAGS"]) == ("off", "local", "")
    assert "GOCACHE" not in env
    assert found(source, tmp_path).find(job).data == launcher.data
    assert [call[0][0] for call in compiler] == ["env", "build", "env"]
    (source / "main.go").write_text("package main // changed\n")
    found(source, tmp_path).find(job)
    assert compiler[-1][0][0] == "build"


def test_without_go_there_is_none(source, job, tmp_path, compiler):
    assert found(source, tmp_path, "nowhere").find(job) is None
    (source / "go.mod").unlink()
    assert found(source, tmp_path).find(job) is None
    assert compiler == []


@pytest.mark.usefixtures("compiler")
def test_one_for_another_platform_is_refused(source, job, tmp_path):
    ready = source / "bin"
    ready.mkdir()
    (ready / "linux-amd64").write_bytes(macho())
    (ready / "source.sha256").write_text(source_digest(source))
    with pytest.raises(BinaryPlatformError, match="another platform") as caught:
        found(source, tmp_path).find(job)
    assert caught.value.hint


def test_a_failing_go_is_a_build_error_and_leaves_nothing(source, job, tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/go").touch(0o755)

    def run_tool(_job, argv, **_keywords):
        if argv[1] == "env":
            return "go1.2"
        raise BuildError("go ended with status 1")

    monkeypatch.setattr(launchers, "run_tool", run_tool)
    with pytest.raises(BuildError, match="status 1"):
        found(source, tmp_path).find(job)
    left = [path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert set(left) <= {".lock"}


def test_go_writes_where_it_may(tmp_path):
    assert go_environment({}, LINUX, tmp_path)["GOCACHE"] == str(tmp_path / "go-cache")
    assert "GOCACHE" not in go_environment({"HOME": "/h"}, LINUX, tmp_path)
    assert go_environment({"GOCACHE": "/c"}, LINUX, tmp_path)["GOCACHE"] == "/c"
    assert "GOROOT" not in go_environment({"GOROOT": "/r"}, LINUX, tmp_path)


def test_the_sources_use_the_standard_library_alone():
    assert "require" not in (SOURCE / "go.mod").read_text()
    for path in SOURCE.glob("*.go"):
        text = path.read_text()
        block = text.split("import (")[1].split(")")[0] if "import (" in text else ""
        assert "." not in block, path
