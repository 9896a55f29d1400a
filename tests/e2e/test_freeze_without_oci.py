"""The build tag of the plugin ADR: ocm-pkg without the OCI client, which a plugin then is."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.command import GO_CACHE, Command
from tests.fakes.components import NAME, stored
from tests.fakes.served import served

PROJECT = Path(__file__).parents[2]
SCRIPT = PROJECT / "build_scripts/freeze.py"
BUILD = [sys.executable, "-m", "ocm_pkg", "build", "--project", PROJECT, "-o", "json"]


def builds(test):
    """Mark a test that needs frozen programs."""
    reason = "needs Linux with binutils"
    unfit = sys.platform != "linux" or shutil.which("objdump") is None
    for mark in (
        pytest.mark.slow,
        pytest.mark.timeout(600),
        pytest.mark.skipif(unfit, reason=reason),
    ):
        test = mark(test)
    return test


SAID = """
import json, freeze_project as freeze
print(json.dumps({
    "every": freeze.modules(freeze.PROJECT / freeze.PACKAGE),
    "named": freeze.FEATURES["oci"],
    "build": freeze.program(["oci"])["build"],
    "whole": freeze.program([])["build"]["hidden-imports"],
}))
"""


@pytest.fixture(scope="module")
def said():
    """What the script would build."""
    command = [sys.executable, "-c", SAID]
    done = subprocess.run(
        command, cwd=SCRIPT.parent, capture_output=True, text=True, timeout=30, check=True
    )
    return json.loads(done.stdout)


def test_what_is_left_out_exists_and_nothing_that_stays_needs_it_to_be_imported(said):
    gone = set(said["build"]["exclude"])
    kept = set(said["build"]["hidden-imports"])
    assert said["whole"] == said["every"] == sorted(kept | gone & set(said["every"]))
    assert {name for name in said["named"] if name.startswith("ocm_pkg.")} <= set(said["every"])
    assert set(said["named"]) <= gone
    for module in kept:
        assert not imported_at_once(module) & gone, module


def imported_at_once(module):
    """Return what a module imports when it is imported itself."""
    path = PROJECT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.is_file():
        return set()
    found = set()
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """The program without the OCI client, and the OCI plugin: both frozen."""
    folder = tmp_path_factory.mktemp("without-oci")
    program = made(folder, SCRIPT, "--without", "oci", "--out", folder / "out")
    plugin = made(folder, *BUILD[1:], "--target", "host", "--out", folder / "dist")
    return Path(program["file"]), Path(plugin["targets"][0]["file"])


def made(folder, *arguments):
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        env={
            "HOME": str(folder / "home"),
            "PATH": os.environ["PATH"],
            "GOCACHE": GO_CACHE,
            **pip,
        },
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def command(frozen, tmp_path):
    command = Command(tmp_path / "home", [frozen[0]])
    command.environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home")}
    return command


@builds
def test_a_ctf_goes_to_a_registry_and_back_through_the_plugin(frozen, command, tmp_path):
    first = ComponentRepository(CTFStore(tmp_path / "first", create=True))
    added = stored(first, content=b"x" * 300_000, os="linux", architecture="amd64")
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    folder = ("--plugin-directory", plugins)
    with served() as registry:
        there = f"{registry.url}/demo"
        transfer = ("transfer", "cv", f"first//{NAME}:1.0.0", there, *folder)
        ran = command(*transfer, cwd=tmp_path)
        assert (ran.code, "no plugin" in ran.err) == (3, True)
        assert registry.requests == []
        shutil.copy2(frozen[1], plugins / "oci")
        ran = command(*transfer, cwd=tmp_path)
        assert ran.code == 0, ran
        ran = command("get", "cv", f"{there}//{NAME}", *folder, "-o", "json", cwd=tmp_path)
        assert ran.json == [added.to_json()]
        ran = command("transfer", "cv", f"{there}//{NAME}:1.0.0", "second", *folder, cwd=tmp_path)
        assert ran.code == 0, ran
    again = ComponentRepository(CTFStore(tmp_path / "second", create=False))
    assert again.get(NAME, "1.0.0").encode() == added.encode()
    listed = command("plugin", "list", *folder, "-o", "json", cwd=tmp_path)
    assert "ocm.software/oci-plugin/v1" not in listed.out


@builds
def test_the_client_and_its_libraries_are_not_in_the_program(frozen):
    view = ["-m", "PyInstaller.utils.cliutils.archive_viewer", "-r", "-b", frozen[0]]
    done = subprocess.run(
        [sys.executable, *view], capture_output=True, text=True, timeout=60, check=True
    )
    names = {line.strip() for line in done.stdout.splitlines()}
    assert {"ocm_pkg.store.serving", "ocm_pkg.store.ctf"} <= names
    gone = {"urllib3", "oras", "requests", "ocm_pkg.store.registry", "ocm_pkg.plugins.oci"}
    assert not gone & names
