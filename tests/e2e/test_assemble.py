"""Plugins assembled from wheels for platforms that aren't here, and tried where they can be."""

from __future__ import annotations

import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ocm_pkg.builders.assemblelock import read_pins
from ocm_pkg.model.project import parse_project
from tests.fakes.command import Command

PROJECT = Path(__file__).parents[2]
WHEELS = Path(sys.prefix) / "wheels"
SYSROOT = Path("/usr/aarch64-linux-gnu")
EMULATOR = shutil.which("qemu-aarch64-static")
LIBRARIES = ("lib/ld-linux-aarch64.so.1", "lib/libgcc_s.so.1", "lib/aarch64-linux-gnu/libz.so.1")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not (WHEELS / ".ready").exists(),
    reason="needs Linux, and the wheels that build_scripts/wheels.py fetches",
)
emulated = pytest.mark.skipif(
    EMULATOR is None or not all((SYSROOT / name).exists() for name in LIBRARIES),
    reason=f"needs qemu-aarch64-static, and in {SYSROOT} glibc, libgcc and zlib",
)
native = pytest.mark.skipif(platform.machine() != "x86_64", reason="needs an amd64 processor")

YAML = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build:
  builder: assemble
  entry: src/greeter_plugin/__main__.py
  shape: dir
targets: [linux/amd64, linux/arm64, darwin/arm64, windows/amd64]
"""
LIBRARY_USER = """\
import importlib.metadata
import json
import sqlite3
import ssl
import sys

import pydantic
import pydantic_core


class Model(pydantic.BaseModel):
    number: int


def report():
    return {
        "number": Model(number="3").number,
        "core": pydantic_core.__version__,
        "pydantic": importlib.metadata.version("pydantic"),
        "ssl": ssl.OPENSSL_VERSION_INFO[0],
        "roots": ssl.create_default_context().cert_store_stats()["x509"],
        "sqlite": sqlite3.connect(":memory:").execute("select 1").fetchone()[0],
        "path": len(sys.path),
    }


if __name__ == "__main__":
    print(json.dumps(report()))
"""


def new_command(folder):
    command = Command(folder / "home")
    command.environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELS)}
    return command


def new_project(folder):
    folder.mkdir(parents=True)
    template = PROJECT / "component_templates/python-plugin"
    shutil.copytree(template / "src", folder / "src")
    (folder / "ocm-pkg.yaml").write_text(YAML)
    return folder


def build(command, folder, *words):
    ran = command("build", *words, "-o", "json", cwd=folder, timeout=110)
    assert ran.code == 0, ran.err
    return ran


def unpacked(archive, folder):
    with tarfile.open(archive) as stream:
        stream.extractall(folder, filter="data")
    return folder / "hello/hello"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The template's plugin for three platforms."""
    root = tmp_path_factory.mktemp("assembled")
    command, folder = new_command(root), new_project(root / "hello")
    targets = ("linux/amd64", "linux/arm64", "darwin/arm64")
    words = [word for target in targets for word in ("--target", target)]
    return command, folder, build(command, folder, *words)


@pytest.fixture(scope="module")
def with_libraries(tmp_path_factory):
    """A program that uses native libraries, for two platforms."""
    root = tmp_path_factory.mktemp("libraries")
    command, folder = new_command(root), new_project(root / "hello")
    (folder / "src/greeter_plugin/__main__.py").write_text(LIBRARY_USER)
    pins = read_pins((PROJECT / "requirements.lock").read_bytes(), name="requirements.lock")
    names = {path.name.partition("-")[0].replace("_", "-") for path in WHEELS.glob("*.whl")}
    lines = [pin.line for pin in pins if pin.name in names]
    assert len(lines) == 5
    # Conditions are those of the target, wherever it is assembled.
    lines.append(f"colorama==0.4.6 ; sys_platform == 'win32' --hash=sha256:{64 * '0'}")
    (folder / "requirements.lock").write_text("\n".join(lines))
    text = YAML.replace("shape: dir", "shape: dir\n  requirements: requirements.lock")
    (folder / "ocm-pkg.yaml").write_text(text)
    build(command, folder, "--target", "linux/arm64", "--target", "linux/amd64")
    return folder / "dist"


@native
def test_a_plugin_for_this_platform_keeps_the_whole_contract(built):
    command, folder, _ = built
    ran = command("test", "dist/hello.linux-amd64.tar.gz", "-o", "json", cwd=folder)
    assert ran.code == 0, ran.out
    assert ran.json["result"] == "ok"


@emulated
def test_a_plugin_for_another_processor_keeps_the_whole_contract(built):
    command, folder, _ = built
    ran = command("test", "dist/hello.linux-arm64.tar.gz", "-o", "json", cwd=folder, timeout=110)
    assert ran.code == 0, ran.out
    assert ran.json["result"] == "ok"


def test_a_plugin_is_small_and_says_which_glibc_and_tools_it_is_of(built):
    _, folder, ran = built
    targets = {each["platform"]: each for each in ran.json["targets"]}
    assert targets["linux/arm64"]["glibc"] == targets["linux/amd64"]["glibc"] == "2.17"
    assert targets["darwin/arm64"]["glibc"] is None
    tools = json.loads((folder / "dist/part.json").read_text())["targets"][-1]["tools"]
    assert {"python", "python-digest", "python-library", "freeze-core"} <= set(tools)
    assert tools["python"].startswith("3.")
    assert tools["python-library"] == platform.python_version()
    assert targets["linux/arm64"]["size"] < 9_000_000


def test_the_build_says_that_it_is_experimental(built):
    _, _, ran = built
    assert ran.err.count("experimental") == 3


def test_the_program_for_darwin_finds_its_libraries_beside_itself(built, tmp_path):
    _, folder, _ = built
    program = unpacked(folder / "dist/hello.darwin-arm64.tar.gz", tmp_path)
    assert program.read_bytes()[:4] == b"\xca\xfe\xba\xbe"
    library = program.parent / "lib"
    assert (library / "Python").is_file()
    assert b"@loader_path/lib/Python" in program.read_bytes()
    native_modules = [path.name for path in library.glob("freeze_core/lib/*.so")]
    assert native_modules
    assert all(name.endswith("-darwin.so") for name in native_modules)


@pytest.mark.slow
@native
def test_native_libraries_work(with_libraries, tmp_path):
    program = unpacked(with_libraries / "hello.linux-amd64.tar.gz", tmp_path)
    assert_works([program])


@pytest.mark.slow
@emulated
def test_native_libraries_work_on_another_processor(with_libraries, tmp_path):
    program = unpacked(with_libraries / "hello.linux-arm64.tar.gz", tmp_path)
    assert_works([EMULATOR, "-L", SYSROOT, program])


def said_by(argv, **variables):
    env = {"PATH": os.environ["PATH"], **variables}
    ran = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=100)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def assert_works(argv):
    said = said_by(argv)
    assert (said["number"], said["ssl"], said["sqlite"], said["path"]) == (3, 3, 1, 2)


@pytest.mark.slow
def test_the_documents_tell_what_is_in_the_plugin_and_no_more(with_libraries):
    sbom = json.loads((with_libraries / "hello.linux-arm64.cdx.json").read_text())
    names = {each["name"].replace("_", "-") for each in sbom["components"]}
    assert {"freeze-core", "pydantic", "pydantic-core", "python"} <= names
    assert "colorama" not in names
    with tarfile.open(with_libraries / "hello.linux-arm64.licences.tar.gz") as licences:
        texts = {name.rpartition("-")[0] for name in licences.getnames() if "/" in name}
    assert {"freeze-core", "pydantic", "pydantic-core", "typing-extensions"} <= texts


def test_a_second_build_of_the_same_does_nothing(built):
    command, folder, _ = built
    before = (folder / "dist/hello.linux-arm64.tar.gz").stat().st_mtime_ns
    ran = build(command, folder, "--target", "linux/arm64")
    assert "experimental" not in ran.err
    assert (folder / "dist/hello.linux-arm64.tar.gz").stat().st_mtime_ns == before


@pytest.mark.slow
@native
def test_the_certificates_of_the_system_are_trusted_unless_others_are_asked_for(
    with_libraries, tmp_path
):
    program = unpacked(with_libraries / "hello.linux-amd64.tar.gz", tmp_path)
    assert said_by([program])["roots"] == ssl.create_default_context().cert_store_stats()["x509"]
    assert said_by([program], SSL_CERT_FILE=str(tmp_path / "no-such-file"))["roots"] == 0


@pytest.mark.slow
def test_a_module_that_the_target_lacks_is_named_and_nothing_is_left(built, tmp_path):
    command, _, _ = built
    folder = new_project(tmp_path / "hello")
    with (folder / "src/greeter_plugin/repository.py").open("a") as file:
        file.write("\n\ndef later():\n    import winreg\n    from no_such_one import x\n")
    ran = command("build", "--target", "linux/arm64", "-o", "json", cwd=folder)
    assert ran.code == 6
    error = ran.json["error"]
    assert error["message"] == "linux/arm64 would lack no_such_one, winreg"
    assert "winreg (imported by greeter_plugin.repository)" in error["detail"]
    assert not list((folder / "dist").glob("hello.*"))
    text = YAML.replace("shape: dir", "shape: dir\n  exclude: [winreg, no_such_one]")
    (folder / "ocm-pkg.yaml").write_text(text)
    build(command, folder, "--target", "linux/arm64")


def test_windows_is_left_to_a_machine_of_its_own(built):
    command, folder, _ = built
    rows = command("build", "--plan", "-o", "json", cwd=folder).out
    assert "no wheels with a whole interpreter for windows/amd64" in rows
    ran = command("build", "--target", "windows/amd64", "-o", "json", cwd=folder)
    assert ran.code == 6
    assert "windows/amd64" in ran.json["error"]["message"]


def test_offline_what_is_not_in_the_cache_is_an_error(tmp_path):
    folder = new_project(tmp_path / "hello")
    ran = new_command(tmp_path)("build", "--offline", "--target", "linux/arm64", cwd=folder)
    assert ran.code == 6
    assert "not in the cache" in ran.err


def test_another_version_of_python_is_refused(built, tmp_path):
    command, _, _ = built
    folder = new_project(tmp_path / "hello")
    text = YAML.replace("shape: dir", 'shape: dir\n  python: "3.10"')
    (folder / "ocm-pkg.yaml").write_text(text)
    ran = command("build", "--target", "linux/arm64", "-o", "json", cwd=folder)
    assert ran.code == 6
    assert "is to have Python 3.10" in ran.json["error"]["message"]


def test_a_wheel_that_is_nowhere_is_named(built, tmp_path):
    command, _, _ = built
    folder = new_project(tmp_path / "hello")
    (folder / "x.lock").write_text(f"no-such-one==1.0 --hash=sha256:{64 * '0'}\n")
    text = YAML.replace("shape: dir", "shape: dir\n  requirements: x.lock")
    (folder / "ocm-pkg.yaml").write_text(text)
    ran = command("build", "--target", "linux/arm64", "-o", "json", cwd=folder)
    assert ran.code == 6
    version = "{}.{}".format(*sys.version_info)
    expected = f"no wheel of no-such-one==1.0 for linux/arm64 and Python {version}"
    assert expected in ran.json["error"]["message"]


@pytest.mark.slow
def test_the_same_sources_give_the_same_bytes_anywhere(built, tmp_path):
    _, first, _ = built
    command, folder = new_command(tmp_path), new_project(tmp_path / "in a deeper/place")
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
    command.environ |= {"TZ": "Asia/Tokyo", "USER": "other", "PYTHONHASHSEED": "7"}
    before = os.umask(0o077)
    try:
        build(command, folder, "--target", "linux/arm64", "--target", "darwin/arm64")
    finally:
        os.umask(before)
    kinds = ("tar.gz", "cdx.json", "licences.tar.gz")
    names = [f"hello.{os_name}-arm64.{kind}" for os_name in ("linux", "darwin") for kind in kinds]
    for name in names:
        assert (folder / "dist" / name).read_bytes() == (first / "dist" / name).read_bytes()


@pytest.mark.slow
def test_a_damaged_wheel_in_the_cache_is_not_used(tmp_path):
    command, folder = new_command(tmp_path), new_project(tmp_path / "hello")
    build(command, folder, "--target", "linux/arm64")
    build(command, folder, "--offline", "--out", "again", "--target", "linux/arm64")
    (wheel,) = Path(command.environ["HOME"]).rglob("freeze_core-*.whl")
    good = wheel.read_bytes()
    wheel.write_bytes(good[:-1] + b"!")
    (folder / "src/greeter_plugin/__init__.py").write_text('"""Changed."""\n')
    ran = command("build", "--offline", "--target", "linux/arm64", cwd=folder)
    assert ran.code == 6
    assert "not in the cache" in ran.err
    build(command, folder, "--target", "linux/arm64")
    assert wheel.read_bytes() == good


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("go") is None, reason="needs go")
@emulated
@pytest.mark.timeout(300)
def test_a_launcher_of_an_assembled_plugin_runs_on_another_processor(built, tmp_path):
    command, _, _ = built
    folder = new_project(tmp_path / "hello")
    command.environ["GOCACHE"] = os.environ.get("GOCACHE") or str(Path.home() / ".cache/go-build")
    words = ("--shape", "launcher", "--target", "linux/arm64")
    ran = command("build", *words, cwd=folder, timeout=200)
    assert ran.code == 0, ran.err
    ran = command("test", "dist/hello.linux-arm64", "-o", "json", cwd=folder, timeout=100)
    assert ran.code == 0, ran.out


def test_the_project_file_in_the_documentation_is_one():
    text = (PROJECT / "docs/assemble.md").read_text().split("formatVersion: 1", 1)[1]
    block = "formatVersion: 1" + text.split("\n\n", 1)[0]
    project = parse_project(block.replace("\n    ", "\n"), name="docs/assemble.md")
    assert [target.builder for target in project.targets] == ["pyinstaller", "assemble"]
