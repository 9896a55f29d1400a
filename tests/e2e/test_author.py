"""The author's way: init, check, build with PyInstaller, package."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ocm_pkg.builders.glibc import floor_of
from ocm_pkg.fs.process import run
from tests.fakes.command import Command
from tests.fakes.launchers import program_in

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("objdump") is None,
    reason="needs Linux with binutils",
)
LIMITS = {"timeout": 30, "max_output": 1_000_000}


def host_binary(folder: Path) -> Path:
    (binary,) = [path for path in (folder / "dist").glob("hello.*") if os.access(path, os.X_OK)]
    return binary


def command_in(folder: Path) -> Command:
    return Command(folder / "home")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A new project whose binary was built."""
    root = tmp_path_factory.mktemp("author")
    command = command_in(root)
    assert command("init", "hello", cwd=root).code == 0
    ran = command("build", "-o", "json", cwd=root / "hello", timeout=100)
    assert ran.code == 0, ran.err
    return root / "hello", ran.json


def test_the_binary_of_a_new_project_answers(built):
    folder, _report = built
    done = run([host_binary(folder), "capabilities"], env={}, **LIMITS)
    assert "HelloRepository/v1" in json.loads(done.stdout)["type"]


def test_the_binary_has_of_ocm_pkg_only_what_a_plugin_needs(built, tmp_path):
    folder, _report = built
    binary = program_in(host_binary(folder), tmp_path)
    viewer = [sys.executable, "-m", "PyInstaller.utils.cliutils.archive_viewer"]
    listed = run([*viewer, "-l", "-r", "-b", binary], env={}, **LIMITS).stdout.decode()
    rooms = {line.strip() for line in listed.splitlines() if line.strip().startswith("ocm_pkg")}
    assert "ocm_pkg.sdk.plugin" in rooms
    allowed = ("ocm_pkg._typing", "ocm_pkg.errors", "ocm_pkg.contract", "ocm_pkg.sdk")
    assert {room for room in rooms if not room.startswith(allowed)} == {"ocm_pkg"}
    for heavy in ("pydantic", "typing_extensions", "asyncio", "ssl"):
        assert f" {heavy}\n" not in listed


def test_the_report_is_beside_the_binary(built):
    folder, report = built
    part = json.loads((folder / "dist/part.json").read_bytes())
    (target,) = part["targets"]
    assert target["digest"] == report["targets"][0]["digest"]
    python = Path(sys.executable).resolve()
    assert (target["glibc"] is None) == (floor_of(python, python) is None)
    assert {"python", "pyinstaller"} <= set(target["tools"])
    assert target["size"] == host_binary(folder).stat().st_size < 30_000_000
    assert host_binary(folder).stat().st_mode & stat.S_IXUSR


def test_a_built_project_has_no_findings(built, tmp_path):
    folder, _report = built
    ran = command_in(tmp_path)("check", "-o", "json", cwd=folder)
    assert (ran.code, ran.json) == (0, [])


def test_what_is_built_becomes_a_component_version(built, tmp_path):
    folder, report = built
    command = command_in(tmp_path)
    dry = command("package", "--dry-run", "-o", "json", cwd=folder)
    assert dry.code == 0, dry.err
    assert not (folder / "ctf").exists()
    assert not (folder / "dist/component-constructor.yaml").exists()
    ran = command("package", "-o", "json", cwd=folder)
    assert ran.code == 0, ran.err
    assert ran.json["repository"] == "./ctf"
    assert ran.json["digest"] == dry.json["digest"]
    target = report["targets"][0]
    binary = {"digest": target["digest"], "size": target["size"], "state": "written"}
    assert binary in ran.json["blobs"]
    again = command("package", "-o", "json", cwd=folder)
    assert {one["state"] for one in again.json["blobs"]} == {"exists"}
    assert again.json["digest"] == ran.json["digest"]
    assert (folder / "dist/component-constructor.yaml").is_file()


def test_the_test_of_a_new_project_passes(built):
    folder, _report = built
    done = subprocess.run(
        [sys.executable, "-m", "unittest", "discover", "tests"],
        cwd=folder,
        env={"PYTHONPATH": f"src:{Path(__file__).parents[2]}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_binary_passes_the_smoke_test(built):
    folder, report = built
    smoke = Path(__file__).parents[2] / "build_scripts/smoke.py"
    done = run([sys.executable, smoke, host_binary(folder)], env={}, **LIMITS)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["size"] == report["targets"][0]["size"]
    assert 0 < measured["capabilities_ms"] < 5000
    assert 0 < measured["start_ms"] < 5000


@pytest.mark.slow
def test_a_build_elsewhere_gives_the_same_bytes(built, tmp_path):
    folder, report = built
    other = tmp_path / "another folder"
    shutil.copytree(folder, other, ignore=shutil.ignore_patterns("dist", "ctf"))
    ran = command_in(tmp_path)("build", "-o", "json", cwd=other, timeout=100)
    assert ran.json["targets"][0]["digest"] == report["targets"][0]["digest"]


IMPORTS = """\
import asyncio
import hashlib
import socket
import ssl
import unicodedata

asyncio.run(asyncio.sleep(0))
assert ssl.create_default_context().check_hostname
assert hashlib.new("sha3_256", b"x").digest_size == 32
assert len(hashlib.scrypt(b"x", salt=b"y", n=2, r=1, p=1)) == 64
assert unicodedata.name("a")
assert socket.getaddrinfo("127.0.0.1", 1)
"""


@pytest.mark.slow
def test_what_a_plugin_imports_of_the_standard_library_is_there(tmp_path):
    command = command_in(tmp_path)
    assert command("init", "hello", cwd=tmp_path).code == 0
    folder = tmp_path / "hello"
    source = folder / "src/hello_plugin/__main__.py"
    source.write_text(source.read_text().replace("plugin =", f"{IMPORTS}\nplugin =", 1))
    ran = command("build", cwd=folder, timeout=110)
    assert ran.code == 0, ran.err
    program = program_in(host_binary(folder), tmp_path / "unpacked")
    program.chmod(0o755)
    done = run([program, "capabilities"], env={}, **LIMITS)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_requirements_with_hashes_go_into_the_binary(tmp_path):
    command = command_in(tmp_path)
    assert command("init", "hello", cwd=tmp_path).code == 0
    folder = tmp_path / "hello"
    locked = (Path(__file__).parents[2] / "requirements.lock").read_text()
    altgraph = re.search(r"^altgraph==.*(\n +--hash=.*)+", locked, re.MULTILINE)
    assert altgraph is not None
    (folder / "requirements.lock").write_text(altgraph[0] + "\n")
    project = folder / "ocm-pkg.yaml"
    entry = "  entry: src/hello_plugin/__main__.py\n"
    project.write_text(
        project.read_text().replace(entry, entry + "  requirements: requirements.lock\n")
    )
    source = folder / "src/hello_plugin/__main__.py"
    source.write_text(source.read_text().replace("plugin =", "import altgraph\n\nplugin =", 1))
    offline = command("--offline", "build", "-o", "json", cwd=folder)
    assert offline.code == 6
    assert "--offline" in offline.json["error"]["message"]
    ran = command("build", "-o", "json", cwd=folder, timeout=110)
    assert ran.code == 0, ran.err
    done = run([host_binary(folder), "capabilities"], env={}, **LIMITS)
    assert done.returncode == 0, done.stderr
