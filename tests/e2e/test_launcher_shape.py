"""A plugin behind a launcher, the whole way: built, tried, packaged, signed, installed, called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ocm_pkg.model.binary import HEADER_BYTES, platforms_of
from ocm_pkg.model.platform import Platform
from tests.fakes.command import GO_CACHE, Command
from tests.fakes.contract import passes
from tests.fakes.launchers import parts_of

pytestmark = [
    pytest.mark.skipif(shutil.which("go") is None, reason="needs go"),
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("objdump") is None,
        reason="needs Linux with binutils",
    ),
]
REF = "ctf//example.com/plugins/hello"
SCRIPT = Path(__file__).parents[2] / "build_scripts/launchers.py"


def made(root: Path) -> tuple[Command, Path]:
    command = Command(root / "home")
    assert command("init", "hello", cwd=root).code == 0
    folder = root / "hello"
    ran = command("build", "-o", "json", cwd=folder, timeout=200)
    assert ran.code == 0, ran.err
    return command, folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return made(tmp_path_factory.mktemp("launcher"))


def program_of(folder: Path) -> Path:
    (program,) = [path for path in (folder / "dist").glob("hello.*") if os.access(path, os.X_OK)]
    return program


@pytest.mark.slow
def test_a_launcher_goes_from_the_build_to_a_running_plugin(built):
    command, folder = built
    program = program_of(folder)
    part = json.loads((folder / "dist/part.json").read_text())["targets"][0]
    assert (part["shape"], "program" in part) == ("launcher", False)
    assert {"python", "pyinstaller", "go", "launcher"} <= set(part["tools"])
    trailer, _, answer, _ = parts_of(program.read_bytes())
    assert trailer.program == "hello/hello"
    asked = command("plugin", "capabilities", f"dist/{program.name}", "-o", "json", cwd=folder)
    assert asked.json["type"] == json.loads(answer)["type"]
    assert command("check", cwd=folder).code == 0
    checks = passes(command, cwd=folder)
    assert checks["embedded capabilities"] == "the program says the same"
    assert "first start" in checks
    assert not Path(command.environ["HOME"], ".cache/ocm-pkg/launcher").exists()
    for words in (("package", "--partial"), ("key", "new"), ("sign", "cv", REF)):
        assert command(*words, cwd=folder).code == 0
    installed = command("plugin", "install", REF, "-o", "json", cwd=folder).json
    assert installed["verified"] == ["signature", "digest", "platform", "capabilities"]
    link = Path(installed["path"])
    assert (link.resolve().parent / "_internal").is_dir()
    call = ("plugin", "call", "hello", "GET", "/component-versions?name=example.com%2Fgreeting")
    assert command(*call, cwd=folder).code == 0
    assert not Path(command.environ["HOME"], ".cache/ocm-pkg/launcher").exists()
    receipts = list(Path(command.environ["HOME"]).rglob("receipt*.json"))
    assert "launcher" in {json.loads(path.read_text())["shape"] for path in receipts}
    assert command("plugin", "remove", "hello", cwd=folder).code == 0


@pytest.mark.slow
def test_the_reference_gets_one_file_that_answers_at_once(built, tmp_path):
    command, folder = built
    command("package", "--partial", cwd=folder)
    words = ("--identity", "name=hello", "--output", tmp_path / "plugin")
    assert command("download", "resource", REF, *words, cwd=folder).code == 0
    program = tmp_path / "plugin"
    program.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    best = min(seconds(program, env) for _ in range(10))
    assert best < 5 * 0.005
    assert list(home.iterdir()) == []


def seconds(program: Path, env: dict[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run([program, "capabilities"], env=env, capture_output=True, check=True)
    took = time.perf_counter() - began
    assert json.loads(done.stdout)["type"]
    return took


@pytest.mark.slow
def test_without_go_the_target_is_a_file_and_says_so(built, tmp_path):
    _, folder = built
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("objdump", "objcopy", "strip", "ldd", "ldconfig", "git", "sh", "gcc", "cc"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    without = Command(tmp_path / "home")
    without.environ["PATH"] = str(tools)
    words = ("build", "--out", tmp_path / "dist", "-o", "json")
    ran = without(*words, cwd=folder, timeout=200)
    assert ran.code == 0, ran.err
    assert "is built as shape file" in ran.err
    part = json.loads((tmp_path / "dist/part.json").read_text())["targets"][0]
    assert part["shape"] == "file"


@pytest.mark.slow
def test_a_target_for_darwin_is_refused(built):
    command, folder = built
    text = (folder / "ocm-pkg.yaml").read_text()
    other = folder.parent / "mac"
    other.mkdir(exist_ok=True)
    start = text[: text.index("targets:")]
    (other / "ocm-pkg.yaml").write_text(f"{start}targets: [darwin/arm64, linux/amd64]\n")
    ran = command("build", "--shape", "launcher", "--target", "darwin/arm64", cwd=other)
    assert ran.code == 6
    assert "signing such a file is not proven" in ran.err
    shaped = start.replace("build:\n", "build:\n  shape: launcher\n")
    (other / "ocm-pkg.yaml").write_text(f"{shaped}targets: [darwin/arm64]\n")
    ran = command("build", cwd=other)
    assert ran.code == 2
    assert "not made for darwin" in ran.err
    assert "shape: file" in ran.err


@pytest.mark.slow
def test_the_same_sources_give_the_same_launcher_elsewhere(built, tmp_path):
    _, folder = built
    _, there = made(tmp_path)
    assert program_of(folder).read_bytes() == program_of(there).read_bytes()


def run_script(folder: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(cwd), "GOCACHE": GO_CACHE}
    environ["PYTHONPATH"] = str(SCRIPT.parents[1])
    argv = [sys.executable, SCRIPT, folder, *words]
    return subprocess.run(argv, env=environ, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_launchers_for_all_platforms_are_the_same_wherever_they_are_compiled(tmp_path):
    folder = tmp_path / "bin"
    ran = run_script(folder, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    systems, architectures = ("darwin", "linux", "windows"), ("amd64", "arm64")
    for platform in (Platform(one, other) for one in systems for other in architectures):
        path = folder / f"{platform.os}-{platform.architecture}"
        with path.open("rb") as stream:
            assert platform in platforms_of(stream.read(HEADER_BYTES))
        assert path.stat().st_size < 4_000_000
    (tmp_path / "elsewhere").mkdir()
    again = run_script(folder, "--check", cwd=tmp_path / "elsewhere")
    assert (again.returncode, again.stdout) == (0, ran.stdout)
    (folder / "linux-amd64").write_bytes(b"old")
    assert run_script(folder, "--check", cwd=tmp_path).returncode == 1
