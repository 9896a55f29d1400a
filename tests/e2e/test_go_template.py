"""The template for Go: what `init` writes builds, passes its tests, and is a good plugin."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ocm_pkg.contract.messages import encode_object, encode_query
from ocm_pkg.fs.process import run
from ocm_pkg.model.binary import HEADER_BYTES, platforms_of
from ocm_pkg.model.platform import Platform
from tests.fakes.command import Command
from tests.fakes.golang import GO, cache_home

pytestmark = [
    pytest.mark.skipif(GO is None or sys.platform != "linux", reason="needs go"),
    pytest.mark.timeout(900),  # Go compiles its own packages first, once on each machine
]
LIMITS = {"timeout": 30, "max_output": 1_000_000}
SIX = {f"{system}/{cpu}" for system in ("linux", "darwin", "windows") for cpu in ("amd64", "arm64")}


def go(folder: Path, *words: str, **environ: str) -> str:
    """Run go in a folder; return what it says."""
    done = subprocess.run(
        [str(GO), *words],
        cwd=folder,
        env={**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def command(tmp_path_factory) -> Command:
    made = Command(tmp_path_factory.mktemp("home"))
    made.environ["XDG_CACHE_HOME"] = cache_home()
    return made


@pytest.fixture(scope="module")
def project(tmp_path_factory, command) -> Path:
    """A new project, under a name that is longer than the template's."""
    root = tmp_path_factory.mktemp("author")
    ran = command("init", "salutations", "--template", "go", cwd=root)
    assert ran.code == 0, ran.err
    return root / "salutations"


@pytest.fixture(scope="module")
def built(project, command):
    """The project with the binary for this machine, and what the build has said."""
    ran = command("build", "--target", "host", "-o", "json", cwd=project, timeout=300)
    assert ran.code == 0, ran.err
    (binary,) = (project / "dist").glob("salutations.*")
    return binary, ran.json


def test_the_code_of_a_new_project_is_formatted_and_vetted(project):
    gofmt = Path(str(GO)).resolve().with_name("gofmt")
    assert run([gofmt, "-l", project], env={}, **LIMITS).stdout == b""
    go(project, "vet", "./...")


def test_the_tests_of_a_new_project_pass(project):
    said = go(project, "test", "-count=1", "./...")
    assert said.count("ok  \texample.com/plugins/salutations") == 2


@pytest.mark.slow
@pytest.mark.parametrize("system", ["windows", "darwin"])
def test_the_code_for_other_systems_is_vetted(project, system):
    go(project, "vet", "./...", GOOS=system, CGO_ENABLED="0")


def test_the_language_is_that_of_the_oldest_go_it_is_for(project):
    assert "\ngo 1.19\n" in (project / "go.mod").read_text()
    assert not (project / "go.sum").exists()


def test_the_report_is_beside_the_binary(built):
    binary, report = built
    part = json.loads((binary.parent / "part.json").read_bytes())
    (target,) = part["targets"]
    assert target["digest"] == report["targets"][0]["digest"]
    assert (target["builder"], target["shape"], target["glibc"]) == ("command", "file", None)
    assert target["tools"]["go"] == go(binary.parent, "env", "GOVERSION").strip()
    assert target["size"] == binary.stat().st_size < 10_000_000
    assert binary.stat().st_mode & stat.S_IXUSR


def test_the_binary_says_its_capabilities_in_both_contracts(built):
    done = run([built[0], "capabilities"], env={}, **LIMITS)
    assert json.loads(done.stdout) == {
        "type": {"SalutationsRepository/v1": ["readComponentVersionRepository"]},
        "capabilities": [
            {
                "type": "componentVersionRepository",
                "supportedRepositorySpecTypes": [
                    {
                        "type": "SalutationsRepository/v1",
                        "aliases": ["SalutationsRepository"],
                        "jsonSchema": "e30=",
                    }
                ],
            }
        ],
    }


def test_the_binary_passes_the_contract_without_a_warning(built, project, command):
    ran = command("test", built[0], "-o", "json", cwd=project)
    assert ran.code == 0, ran.out
    checks = ran.json["checks"] if isinstance(ran.json, dict) else ran.json
    assert len(checks) >= 8
    assert {check["result"] for check in checks} == {"ok"}, checks


def test_the_binary_serves_the_greeting(built, project, command):
    def call(path: str) -> Any:
        ran = command("plugin", "call", built[0], "GET", path, cwd=project)
        assert ran.code == 0, ran.err
        return json.loads(ran.out)

    assert call("/component-versions?name=c") == ["1.0.0"]
    spec = encode_object({"type": "SalutationsRepository/v1", "greeting": "Servus"})
    query = encode_query({"name": "c", "version": "1.0.0", "repository": spec})
    descriptor = call(f"/component-version/download?{query}")
    (resource,) = descriptor["component"]["resources"]
    assert resource["digest"]["value"] == hashlib.sha256(b"Servus\n").hexdigest()


def test_the_binary_passes_the_smoke_test(built):
    smoke = Path(__file__).parents[2] / "build_scripts/smoke.py"
    done = run([sys.executable, smoke, built[0]], env={}, **LIMITS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["size"] == built[0].stat().st_size


def started(binary: Path, folder: Path) -> subprocess.Popen[str]:
    """Start the plugin in the way of the reference library, its input held open."""
    return subprocess.Popen(
        [binary, "--config", json.dumps({"id": "x", "type": "unix", "location": f"{folder}/s"})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"TMPDIR": str(folder)},
        text=True,
    )


def test_it_ends_and_leaves_nothing_when_its_manager_is_gone(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("s")
    with started(built[0], folder) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == f"http+unix://{folder}/s\n"
        assert stat.S_IMODE((folder / "s").stat().st_mode) == 0o600
        process.stdin.close()
        assert process.wait(20) == 0
        assert process.stdout.read() == ""
    assert list(folder.iterdir()) == []


def test_it_ends_well_though_nobody_reads_what_it_says(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("s")
    with started(built[0], folder) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        process.stderr.close()
        process.terminate()
        assert process.wait(20) == 0
    assert list(folder.iterdir()) == []


def listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


def test_a_call_in_progress_is_answered_before_the_end(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("s")
    with started(built[0], folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(f"{folder}/s")
            body = b'{"type":{"type":"SalutationsRepository/v1"}}'
            head = "POST /identity HTTP/1.1\r\nHost: unix\r\nExpect: 100-continue\r\n"
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 100")
            process.terminate()
            while listens(f"{folder}/s"):
                assert process.poll() is None
            client.sendall(body)
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
        assert process.wait(20) == 0


@pytest.fixture(scope="module")
def six(project, command, tmp_path_factory):
    """The project in another folder, with all of its targets; and what the build has said."""
    folder = tmp_path_factory.mktemp("another folder") / "project"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("dist", "out"))
    ran = command("build", "-o", "json", cwd=folder, timeout=800)
    assert ran.code == 0, ran.err
    return folder, ran.json


@pytest.mark.slow
def test_one_machine_builds_all_six_targets(six):
    folder, report = six
    assert {target["platform"] for target in report["targets"]} == SIX
    for target in report["targets"]:
        header = Path(target["file"]).read_bytes()[:HEADER_BYTES]
        assert platforms_of(header) == (Platform.parse(target["platform"]),)
    assert json.loads((folder / "dist/part.json").read_bytes())["targets"]


@pytest.mark.slow
def test_a_build_elsewhere_gives_the_same_bytes(six, built):
    report = six[1]
    (host,) = built[1]["targets"]
    again = {target["platform"]: target["digest"] for target in report["targets"]}
    assert again[host["platform"]] == host["digest"]


@pytest.mark.slow
def test_all_targets_become_one_component_version(six, command):
    folder, _report = six
    ran = command("package", "-o", "json", cwd=folder)
    assert ran.code == 0, ran.err
    shown = command(
        "get", "cv", "ctf//example.com/plugins/salutations:0.1.0", "-o", "json", cwd=folder
    )
    (descriptor,) = shown.json
    offered = {
        f"{each['extraIdentity']['os']}/{each['extraIdentity']['architecture']}"
        for each in descriptor["component"]["resources"]
        if each["type"] == "ocmPlugin"
    }
    assert offered == SIX
