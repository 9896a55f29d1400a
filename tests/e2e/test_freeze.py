"""ocm-pkg as one binary, made by its own builder: every command of it works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ocm_pkg import __version__
from ocm_pkg.cli.options import Settings
from ocm_pkg.cli.wiring import Context
from ocm_pkg.fs.atomic import FileLock
from ocm_pkg.model.binary import HEADER_BYTES, platforms_of
from tests.fakes.command import GO_CACHE, Command
from tests.fakes.contract import passes
from tests.fakes.plugins import write_plugin, write_program
from tests.fakes.trees import names

PROJECT = Path(__file__).parents[2]
HOST = Context.of(Settings()).platform
PLUGIN = "ctf//example.com/plugins/hello"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("objdump") is None,
        reason="needs Linux with binutils",
    ),
]
CONSTRUCTOR = f"""\
name: example.com/plugins/hello
version: 1.0.0
provider: {{name: example.com}}
resources:
  - name: hello
    type: ocmPlugin
    extraIdentity: {{os: {HOST.os}, architecture: {HOST.architecture}}}
    input: {{type: file, path: hello}}
"""


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """The binary, and what the script said about it; made once, also for several workers."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    said = shared / "frozen.json"
    with FileLock(shared / "frozen.lock", 390):
        if not said.exists():
            said.write_text(freeze(shared / "frozen"))
    found = json.loads(said.read_text())
    return Path(found["file"]), found


def freeze(root: Path) -> str:
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    done = subprocess.run(
        [sys.executable, PROJECT / "build_scripts/freeze.py", "--out", root / "out"],
        env={"HOME": str(root / "home"), "PATH": os.environ["PATH"], **pip},
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def command(frozen, tmp_path):
    """The binary as a command, which finds nothing of this environment."""
    command = Command(tmp_path / "home", [frozen[0]])
    command.environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home"), "GOCACHE": GO_CACHE}
    return command


def test_the_binary_is_for_this_machine_and_its_report_says_what_went_in(frozen):
    binary, said = frozen
    assert platforms_of(binary.read_bytes()[:HEADER_BYTES]) == (HOST,)
    documents = [f"{binary.name}.{suffix}" for suffix in ("cdx.json", "licences.tar.gz")]
    assert names(binary.parent) == ["logs", binary.name, *documents, "part.json"]
    part = json.loads((binary.parent / "part.json").read_bytes())
    assert part["version"] == __version__
    assert part["lock"] is not None
    assert said["size"] == part["targets"][0]["size"] < 30_000_000
    assert 0 < said["version_ms"] < 5000


def test_every_command_can_be_loaded(command, tmp_path):
    from ocm_pkg.cli.commands import COMMANDS, Group

    for name, entry in COMMANDS.items():
        words = (
            [[name, inner] for inner in entry.commands] if isinstance(entry, Group) else [[name]]
        )
        for each in words:
            ran = command(*each, "--help", cwd=tmp_path)
            assert (ran.code, ran.err) == (0, ""), each
            assert ran.out.startswith(f"Usage: ocm-pkg {' '.join(each)} ")


def test_a_component_version_is_made_signed_verified_and_its_plugin_installed(command, tmp_path):
    (tmp_path / "c.yaml").write_text(CONSTRUCTOR)
    write_program(tmp_path, "hello", '#!/bin/sh\necho \'{"type":{"Hello/v1":["generic"]}}\'\n')
    steps = [
        ("--version",),
        ("add", "cv", "-r", "ctf", "-c", "c.yaml"),
        ("--color", "always", "get", "cv", PLUGIN),
        ("get", "cv", PLUGIN, "-o", "yaml"),
        ("describe", "cv", PLUGIN),
        ("hash", "cv", PLUGIN),
        ("key", "new", "k", "--out", "keys"),
        ("sign", "cv", PLUGIN, "--key", "keys/k.private.pem"),
        ("verify", "cv", PLUGIN, "--key", "keys/k.public.pem"),
        ("transfer", "cv", PLUGIN, "copy.tgz"),
        ("plugin", "capabilities", "./hello"),
        ("config", "show"),
    ]
    for words in steps:
        ran = command(*words, cwd=tmp_path)
        assert ran.code == 0, (words, ran)
    key = ("--key", "keys/k.public.pem")
    ran = command("plugin", "install", PLUGIN, *key, "-o", "json", cwd=tmp_path)
    assert ran.code == 0, ran
    assert subprocess.run([ran.json["path"]], check=True, timeout=30).returncode == 0
    assert command("plugin", "list", "-o", "json", cwd=tmp_path).json[0]["state"] == "ok"
    assert command("plugin", "capabilities", "hello", cwd=tmp_path).code == 0


def test_errors_are_errors_and_no_tracebacks(command, tmp_path):
    (tmp_path / "c.yaml").write_text("name: [")
    assert command("add", "cv", "-r", "ctf", "-c", "c.yaml", cwd=tmp_path).code == 2
    assert command("get", "cv", PLUGIN, cwd=tmp_path).code == 3


def test_a_new_project_builds_to_the_same_bytes_as_without_freezing(command, tmp_path):
    assert command("init", "hello", cwd=tmp_path).code == 0
    folder = tmp_path / "hello"
    assert command("check", cwd=folder).code == 0
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    command.environ["PATH"] = str(nothing)
    ran = command("build", cwd=folder)
    assert (ran.code, "python3" in ran.err) == (6, True)
    command.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = command("build", "-o", "json", cwd=folder, timeout=110)
    assert ran.code == 0, ran.err
    passes(command, ran.json["targets"][0]["file"], cwd=folder)
    plain = Command(tmp_path / "home")
    again = plain("build", "--out", tmp_path / "plain", "-o", "json", cwd=folder, timeout=110)
    assert again.code == 0, again.err
    assert again.json["targets"][0]["digest"] == ran.json["targets"][0]["digest"]


@pytest.mark.parametrize("original", [None, "/original"])
def test_plugins_see_nothing_of_the_bundle(command, tmp_path, original):
    plugin = write_plugin(tmp_path / "real", "plugin")
    record = tmp_path / "environment"
    write_program(
        tmp_path / "plugins",
        "shown",
        f'#!/bin/sh\nenv >> {record}\necho end >> {record}\nexec {plugin} "$@"\n',
    )
    if original:
        command.environ["LD_LIBRARY_PATH"] = original
    call = ("call", "shown", "GET", "/healthz", "--plugin-directory", "plugins")
    ran = command("plugin", *call, cwd=tmp_path)
    assert ran.code == 0, ran
    environments = record.read_text().split("end\n")[:-1]
    assert len(environments) >= 2, "asked for its capabilities, then started"
    for text in environments:
        seen = dict(line.partition("=")[::2] for line in text.splitlines())
        assert seen.get("LD_LIBRARY_PATH") == original
        assert "_MEI" not in text
        assert not [name for name in seen if name.startswith(("_PYI", "_MEI"))]
        assert "LD_LIBRARY_PATH_ORIG" not in seen
