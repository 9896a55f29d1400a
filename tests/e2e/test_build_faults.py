"""What goes wrong while building: each with its code, exit status, reason and remedy."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.binaries import elf, pe
from tests.fakes.command import Command
from tests.fakes.trees import snapshot

YAML = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
targets:
  - {platform: linux/arm64, builder: command, run: [sh, make.sh], output: out/hello}
"""


@pytest.fixture
def command(tmp_path):
    return Command(tmp_path / "home")


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    (folder / "out").mkdir(parents=True)
    (folder / "ocm-pkg.yaml").write_text(YAML)
    (folder / "program").write_bytes(elf(183))
    (folder / "make.sh").write_text(
        'echo "building $OCM_PKG_OS/$OCM_PKG_ARCHITECTURE"\ncp program "$OCM_PKG_OUTPUT"\n'
    )
    return folder


def error_of(ran, code):
    """Return the error object of a command that ended with it."""
    assert ran.code == int(code[1]), ran
    error = ran.json["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["hint"]
    return error


def test_a_command_builds_any_target(command, project):
    ran = command("build", "-o", "json", cwd=project)
    assert ran.code == 0, ran.err
    assert ran.json["targets"][0]["platform"] == "linux/arm64"
    assert (project / "dist/hello.linux-arm64").read_bytes() == elf(183)
    log = (project / "dist/logs/hello.linux-arm64.log").read_text()
    assert log == "building linux/arm64\n"


def test_a_failed_command_shows_the_end_of_its_log(command, project):
    (project / "make.sh").write_text("echo one; echo two >&2; exit 3\n")
    error = error_of(command("build", "-o", "json", cwd=project), "E600")
    assert "status 3" in error["message"]
    assert "logs/hello.linux-arm64.log" in error["hint"]
    plain = command("build", cwd=project)
    assert "  | two" in plain.err
    assert (project / "dist/logs/hello.linux-arm64.log").read_text() == "one\ntwo\n"
    assert not (project / "dist/part.json").exists()


def test_a_failed_build_leaves_an_earlier_one(command, project):
    assert command("build", cwd=project).code == 0
    before = snapshot(project / "dist")
    (project / "make.sh").write_text('echo "building linux/arm64"; exit 1\n')
    error_of(command("build", "-o", "json", cwd=project), "E600")
    assert snapshot(project / "dist") == before


def test_a_command_that_leaves_nothing_is_an_error(command, project):
    (project / "make.sh").write_text("true\n")
    (project / "out/hello").write_bytes(elf(183))
    error = error_of(command("build", "-o", "json", cwd=project), "E600")
    assert "left no file hello" in error["message"]


@pytest.mark.parametrize("content", [elf(), pe(), b"#!/bin/sh\n", b""])
def test_a_binary_for_another_platform_is_refused(command, project, content):
    (project / "program").write_bytes(content)
    error = error_of(command("build", "-o", "json", cwd=project), "E603")
    assert "built for linux/arm64" in error["message"]
    assert not (project / "dist/hello.linux-arm64").exists()


def test_a_command_that_is_not_there_is_a_missing_tool(command, project):
    (project / "ocm-pkg.yaml").write_text(YAML.replace("[sh,", "[no-such-tool,"))
    error = error_of(command("build", "-o", "json", cwd=project), "E601")
    assert "no-such-tool" in error["message"]


def test_a_command_gets_no_secrets(command, project):
    command.environ["REGISTRY_LOGIN"] = "hunter2-hunter2"
    (project / "make.sh").write_text('env; cp program "$OCM_PKG_OUTPUT"\n')
    assert command("build", cwd=project).code == 0
    assert "hunter2" not in (project / "dist/logs/hello.linux-arm64.log").read_text()


def test_without_binutils_pyinstaller_is_not_started(command, project, tmp_path):
    (tmp_path / "bin").mkdir()
    command.environ["PATH"] = str(tmp_path / "bin")
    host = command("build", "--plan", "-o", "json", cwd=project).json["host"]
    (project / "hello.py").write_text("print()\n")
    (project / "ocm-pkg.yaml").write_text(
        YAML.split("targets:", maxsplit=1)[0] + f"build: {{entry: hello.py}}\ntargets: [{host}]\n"
    )
    if not host.startswith("linux/"):
        pytest.skip("only Linux needs binutils")
    error = error_of(command("build", "-o", "json", cwd=project), "E601")
    assert "objdump" in error["message"]
    assert all(name in error["hint"] for name in ("binutils", "Debian", "Fedora", "Alpine"))


@pytest.mark.parametrize(
    ("old", "new", "at"),
    [
        ("builder: command", "bulider: command", ":6:29"),
        ("version: 1.0.0", "version: [", ":5:8"),
        ("provider:", "provider: x\nprovider:", ":5:1"),
        ("linux/arm64", "linux/arm65", ":6:6"),
    ],
)
@pytest.mark.parametrize("verb", ["build", "package"])
def test_a_bad_project_file_is_shown_with_line_and_column(command, project, old, new, at, verb):
    (project / "ocm-pkg.yaml").write_text(YAML.replace(old, new))
    ran = command(verb, "-o", "json", cwd=project)
    assert ran.code == 2
    assert ran.json["error"]["at"].endswith(f"ocm-pkg.yaml{at}")
    assert ".yaml" + at in command(verb, cwd=project).err


def test_a_check_prints_every_finding_and_ends_with_2(command, project):
    (project / "ocm-pkg.yaml").write_text(
        YAML.replace("builder: command, run: [sh, make.sh], output: out/hello", "entry: a.py")
        + "assets: [{name: docs, path: docs}]\n"
    )
    ran = command("check", "-o", "json", cwd=project)
    assert ran.code == 2
    assert [finding["at"].rpartition("ocm-pkg.yaml")[2] for finding in ran.json] == [
        ":6:29",
        ":7:23",
    ]
    text = command("check", cwd=project)
    assert text.code == 2
    assert text.out.count("fix: ") == 2


def test_a_folder_without_a_project_is_not_found(command, tmp_path):
    for verb in ("build", "package", "check"):
        error = error_of(command(verb, "-o", "json", cwd=tmp_path), "E305")
        assert "ocm-pkg init" in error["hint"]


def test_a_target_of_another_machine_is_refused_when_asked_for(command, project):
    (project / "ocm-pkg.yaml").write_text(
        YAML.split("targets:", maxsplit=1)[0] + "build: {entry: a.py}\ntargets: [windows/arm64]\n"
    )
    error_of(command("build", "--target", "windows/arm64", "-o", "json", cwd=project), "E602")
    error_of(command("build", "--target", "linux/386", "-o", "json", cwd=project), "E602")
    error_of(command("build", "-o", "json", cwd=project), "E602")
    error_of(command("build", "--shape", "dir", "-o", "json", cwd=project), "E602")


def test_a_plan_and_a_dry_run_write_nothing(command, project):
    before = snapshot(project)
    plan = command("build", "--plan", "-o", "json", cwd=project)
    assert plan.json["targets"] == [
        {
            "platform": "linux/arm64",
            "builder": "command",
            "shape": "file",
            "file": "hello.linux-arm64",
            "here": True,
            "reason": None,
            "machine": plan.json["host"],
        }
    ]
    assert command("build", "--dry-run", cwd=project).code == 0
    assert command("init", "other", "--dry-run", cwd=project).code == 0
    assert snapshot(project) == before


def test_a_missing_target_needs_partial(command, project):
    (project / "ocm-pkg.yaml").write_text(YAML + "  - {platform: windows/amd64, entry: hello.py}\n")
    built = command("build", "-o", "json", cwd=project)
    (other,) = built.json["others"]
    assert (other["platform"], other["machine"]) == ("windows/amd64", "windows/amd64")
    assert f"not built here: windows/amd64: {other['reason']}" in built.err
    assert "run this on windows/amd64" in other["reason"]
    assert [target["platform"] for target in built.json["targets"]] == ["linux/arm64"]
    error = error_of(command("package", "-o", "json", cwd=project), "E600")
    assert "windows/amd64" in error["message"]
    assert not (project / "ctf").exists()
    ran = command("package", "--partial", "-o", "json", cwd=project)
    assert ran.code == 0, ran.err
    assert "windows/amd64" in ran.err


def test_assets_and_labels_are_delivered(command, project):
    (project / "docs").mkdir()
    (project / "docs/a.md").write_text("text")
    (project / "ocm-pkg.yaml").write_text(
        YAML + "assets: [{name: docs, path: docs}]\nlabels: {example.com/team: infra}\n"
    )
    assert command("build", cwd=project).code == 0
    dry = command("package", "--dry-run", "-o", "json", cwd=project)
    ran = command("package", "--to", "./other", "-o", "json", cwd=project)
    assert ran.code == 0, ran.err
    assert len(ran.json["blobs"]) == 3, "the binary, its provenance, the asset"
    assert dry.json["digest"] == ran.json["digest"]
    index = json.loads((project / "other/artifact-index.json").read_bytes())
    assert index["artifacts"][0]["tag"] == "1.0.0"


def test_the_version_comes_from_git(command, project):
    (project / "ocm-pkg.yaml").write_text(YAML.replace("1.0.0", "{from: git}"))
    ran = command("build", "-o", "json", cwd=project)
    assert ran.code == 2
    assert "git tag" in ran.json["error"]["hint"]


@pytest.fixture
def tagged(command, project):
    """The project in a repository of git, with a tag."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("needs git")
    (project / "ocm-pkg.yaml").write_text(YAML.replace("1.0.0", "{from: git}"))
    (project / ".gitignore").write_text("/dist/\n/out/\n")
    who = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
    for step in (
        ["init", "-q"],
        ["add", "."],
        [*who, "commit", "-q", "-m", "x"],
        ["tag", "v1.2.0"],
    ):
        subprocess.run([git, *step], cwd=project, env=command.environ, check=True)
    return project


def test_a_tag_is_the_version(command, tagged):
    (tagged / "untracked.txt").write_text("git was not told of it")
    ran = command("build", "-o", "json", cwd=tagged)
    assert ran.json["version"] == "1.2.0"
    assert len(ran.json["commit"]) == 40


@pytest.mark.parametrize("verb", ["build", "package"])
def test_a_version_from_git_is_refused_while_files_differ_from_the_commit(command, tagged, verb):
    assert command("build", cwd=tagged).code == 0
    before = snapshot(tagged / "dist")
    (tagged / "make.sh").write_text((tagged / "make.sh").read_text() + "# changed\n")
    (tagged / "program").unlink()
    error = error_of(command(verb, "-o", "json", cwd=tagged), "E210")
    assert "make.sh, program differ from the commit" in error["message"]
    assert "git stash" in error["hint"]
    assert error["at"].endswith("ocm-pkg.yaml")
    assert snapshot(tagged / "dist") == before
    assert not (tagged / "ctf").exists()


def test_a_version_that_is_written_down_does_not_need_a_commit(command, tagged):
    (tagged / "ocm-pkg.yaml").write_text(YAML)
    ran = command("build", "-o", "json", cwd=tagged)
    assert ran.code == 0, ran.err
    assert ran.json["commit"].endswith("-dirty")


def test_without_git_a_version_from_git_is_a_missing_tool(command, tagged, tmp_path):
    (tmp_path / "bin").mkdir()
    command.environ["PATH"] = str(tmp_path / "bin")
    error = error_of(command("build", "-o", "json", cwd=tagged), "E601")
    assert "git is not on this machine" in error["message"]
    assert not (tagged / "dist").exists()


def test_a_build_that_is_interrupted_ends_at_once_and_leaves_nothing(command, project):
    (project / "make.sh").write_text("echo $$ > pid; sleep 60\n")
    child = subprocess.Popen(
        [sys.executable, "-m", "ocm_pkg", "build"],
        cwd=project,
        env=command.environ,
        stderr=subprocess.PIPE,
    )
    pid = project / "pid"
    deadline = time.monotonic() + 20
    while not (pid.exists() and pid.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=20)
    assert child.returncode == 130
    assert time.monotonic() - began < 10
    assert not Path("/proc", pid.read_text().strip()).exists()
    assert not (project / "dist").exists()
