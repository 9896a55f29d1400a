from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from pathlib import Path

CONSTRUCTOR = """\
components:
- name: example.com/plugins/hello
  version: ${VERSION}
  provider:
    name: example.com
  resources:
  - name: hello
    type: ocmPlugin
    extraIdentity: {os: linux, architecture: amd64}
    input: {type: file, path: hello.sh, mediaType: application/octet-stream}
  - name: docs
    type: directoryTree
    input: {type: dir, path: docs, compress: true}
  componentReferences:
  - name: base
    componentName: example.com/base
    version: 1.0.0
- name: example.com/base
  version: 1.0.0
  provider:
    name: example.com
"""


@dataclass
class Shell:
    """A folder and an environment to run the command in."""

    cwd: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "ocm_pkg", *arguments],
            cwd=self.cwd,
            env={"HOME": str(self.cwd), "PATH": os.defpath, **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "-o", "json", code=code).stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    folder = tmp_path / "work"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs/readme.txt").write_text("read me\n")
    (folder / "hello.sh").write_text("#!/bin/sh\necho hello\n")
    (folder / "component-constructor.yaml").write_text(CONSTRUCTOR)
    return Shell(folder)


def test_from_constructor_to_another_repository_and_back_to_a_file(shell: Shell) -> None:
    planned = shell.json("add", "cv", "--set", "VERSION=1.0.0", "--dry-run")
    assert not (shell.cwd / "ctf").exists()
    added = shell.json("add", "cv", "--set", "VERSION=1.0.0")
    assert [one["digest"] for one in added] == [one["digest"] for one in planned]
    assert [one["component"] for one in added] == ["example.com/base", "example.com/plugins/hello"]
    assert set(added[1]) == {"component", "version", "digest", "repository", "blobs"}
    assert {blob["state"] for blob in added[1]["blobs"]} == {"written"}
    assert shell.json("add", "cv", "--set", "VERSION=1.0.0")[1]["blobs"][0]["state"] == "exists"

    shell.environment["VERSION"] = "2.0.0"
    shell.run("add", "cv", "-r", "ctf", "-c", ".")
    listed = shell.json("get", "cv", "ctf//example.com/plugins/hello")
    assert [one["component"]["version"] for one in listed] == ["2.0.0", "1.0.0"]

    ref = "./ctf//example.com/plugins/hello"
    described = shell.json("describe", "cv", ref)
    assert (described["version"], described["platforms"]) == ("2.0.0", ["linux/amd64"])
    assert "linux/amd64" in shell.run("describe", "cv", ref).stdout
    tree = shell.run("get", "cv", f"{ref}:1.0.0", "--recursive", "-o", "tree").stdout
    assert "base -> example.com/base:1.0.0" in tree
    lines = shell.run("get", "cv", "./ctf", "-o", "ndjson").stdout.splitlines()
    assert len([json.loads(line) for line in lines]) == 3
    assert "PROVIDER" in shell.run("get", "cv", "./ctf").stdout

    (moved, last) = shell.json("transfer", "cv", f"{ref}:1.0.0", "./other", "--recursive")
    assert (moved["component"], last["version"]) == ("example.com/base", "1.0.0")
    before = shell.json("get", "cv", f"{ref}:1.0.0")
    assert shell.json("get", "cv", "./other//example.com/plugins/hello:1.0.0") == before

    identity = "name=hello,os=linux"
    shell.run("download", "resource", ref, "--identity", identity, "--output", "got")
    assert (shell.cwd / "got").read_text() == "#!/bin/sh\necho hello\n"


def test_other_content_under_a_version_that_is_there(shell: Shell) -> None:
    shell.environment["VERSION"] = "1.0.0"
    shell.run("add", "cv")
    (shell.cwd / "hello.sh").write_text("#!/bin/sh\necho other\n")
    before = snapshot(shell.cwd / "ctf")
    error = shell.json("add", "cv", code=8)["error"]
    assert (error["code"], "policy" in error["hint"]) == ("E801", True)
    assert snapshot(shell.cwd / "ctf") == before
    policy = "--component-version-conflict-policy"
    assert shell.json("add", "cv", policy, "skip")[1]["blobs"][0]["state"] == "exists"
    shell.run("add", "cv", policy, "replace")
    assert snapshot(shell.cwd / "ctf") != before


def test_a_missing_input_is_named_with_file_line_and_column(shell: Shell) -> None:
    (shell.cwd / "hello.sh").unlink()
    error = shell.json("add", "cv", "--set", "VERSION=1.0.0", code=3)["error"]
    assert error["at"].startswith("component-constructor.yaml:10:")
    assert not (shell.cwd / "ctf").exists()
    assert "  fix: " in shell.run("add", "cv", "--set", "VERSION=1.0.0", code=3).stderr


def test_D15_only_named_variables_are_replaced_and_never_by_a_shell(shell: Shell) -> None:
    path = shell.cwd / "component-constructor.yaml"
    error = shell.json("add", "cv", code=2)["error"]
    assert ("VERSION" in error["message"], "at" in error) == (True, True)
    text = "components:\n- name: example.com/some\n  version: 1.0.0\n  provider: {name: p}\n"
    for value in ("$(touch evil)", "{{ 7*7 }}", "`touch evil`", "$HOME"):
        label = f"  labels: [{{name: note, value: '{value}'}}]\n"
        path.write_text(text + label)
        shell.run("add", "cv", "--component-version-conflict-policy", "replace")
        shown = shell.json("get", "cv", "./ctf//example.com/some")
        assert shown[0]["component"]["labels"][0]["value"] == value
    assert not (shell.cwd / "evil").exists()


def test_A24_the_same_sources_give_the_same_bytes_anywhere(shell: Shell, tmp_path: Path) -> None:
    first = shell.json("add", "cv", "--set", "VERSION=1.0.0")
    copy = tmp_path / "copy"
    shutil.copytree(shell.cwd, copy, ignore=shutil.ignore_patterns("ctf"))
    for path in [*copy.rglob("*"), copy]:
        os.utime(path, (1, 1))
        path.chmod(0o700 if path.is_dir() else 0o600)
    environment = {"TZ": "Pacific/Auckland", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "7"}
    other = Shell(copy, environment)
    old = os.umask(0o077)
    try:
        second = other.json("add", "cv", "--set", "VERSION=1.0.0")
    finally:
        os.umask(old)
    assert first == second
    names = [
        sorted(one.name for one in (root / "ctf/blobs").iterdir()) for root in (shell.cwd, copy)
    ]
    assert names[0] == names[1]


def test_D16_a_pipe_as_input_does_not_hang(shell: Shell) -> None:
    (shell.cwd / "hello.sh").unlink()
    os.mkfifo(shell.cwd / "hello.sh")
    assert "named pipe" in shell.run("add", "cv", "--set", "VERSION=1.0.0", code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("get", "cv", "./none"), 3),
        (("get", "cv", "::"), 2),
        (("add", "cv", "-c", "none.yaml"), 3),
        (("add", "cv", "--set", "x"), 2),
        (("add", "cv", "--max-input-size", "many"), 2),
        (("describe", "cv", "./ctf"), 2),
        (("download", "resource", "./none//example.com/a", "--identity", "name=x"), 3),
        (("transfer", "cv", "./none//example.com/a:1.0.0", "./b//example.com/a"), 2),
    ],
)
def test_mistakes_have_codes_and_leave_nothing(
    shell: Shell, arguments: tuple[str, ...], code: int
) -> None:
    before = snapshot(shell.cwd)
    shell.run(*arguments, code=code)
    assert snapshot(shell.cwd) == before


def test_the_other_schema_is_written_only_when_asked_for(shell: Shell) -> None:
    arguments = ("add", "cv", "--set", "VERSION=1.0.0")
    shell.run(*arguments, "-r", "two")
    shell.run(*arguments, "-r", "three", "--schema", "v3alpha1")
    name = "example.com/plugins/hello:1.0.0"

    def stored(folder: str) -> str:
        return "".join(path.read_text("latin-1") for path in (shell.cwd / folder).rglob("sha256.*"))

    assert "ocm.software/v3alpha1" not in stored("two")
    assert "ocm.software/v3alpha1" in stored("three")
    hashed = [shell.run("hash", "cv", f"{folder}//{name}").stdout for folder in ("two", "three")]
    assert hashed[0] == hashed[1]
    shell.run("key", "new", "k", "--out", ".")
    for reference in ("three//example.com/base:1.0.0", f"three//{name}"):
        shell.run("sign", "cv", reference, "--key", "k.private.pem")
    shell.run("verify", "cv", f"three//{name}", "--key", "k.public.pem")
    shell.run("transfer", "cv", f"three//{name}", "copy", "--recursive")
    shell.run("verify", "cv", f"copy//{name}", "--key", "k.public.pem")
