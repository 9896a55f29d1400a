"""``ocm-pkg test`` of programs for another processor, which QEMU runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ocm_pkg.model.platform import Platform
from ocm_pkg.plugin.contract_results import Binary, contract_results
from ocm_pkg.plugin.emulation import Machine
from tests.fakes.command import GO_CACHE, Command
from tests.fakes.launcher_plugin import HOST
from tests.fakes.launchers import compiled, launcher
from tests.fakes.tars import program, tgz

TEMPLATE = Path(__file__).parents[2] / "component_templates/go-plugin"
OTHER = Platform("linux", "arm64" if HOST.architecture == "amd64" else "amd64")
QEMU = "qemu-aarch64-static" if OTHER.architecture == "arm64" else "qemu-x86_64-static"

pytestmark = [
    pytest.mark.skipif(shutil.which("go") is None, reason="needs go"),
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which(QEMU) is None, reason=f"needs {QEMU}"
    ),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The Go template, built for this machine and for another processor; and the command."""
    root = tmp_path_factory.mktemp("elsewhere")
    folder = root / "greeter"
    shutil.copytree(TEMPLATE, folder)
    command = Command(root / "home")
    ran = command("build", "--target", HOST, "--target", OTHER, cwd=folder, timeout=250)
    assert ran.code == 0, ran.err
    return command, folder


def binary(folder: Path, platform: Platform) -> Path:
    return folder / "dist" / f"greeter.{platform.os}-{platform.architecture}"


def test_all_that_was_built_is_run_here_or_by_qemu(built):
    command, folder = built
    ran = command("test", "-o", "json", cwd=folder, timeout=200)
    assert ran.code == 0, ran.out + ran.err
    plugins = {one["platform"]: one for one in ran.json["plugins"]}
    assert (ran.json["result"], len(plugins)) == ("ok", 2)
    assert plugins[str(HOST)]["detail"] == ""
    assert plugins[str(OTHER)]["detail"]
    for one in plugins.values():
        checks = {check["check"]: check["result"] for check in one["checks"]}
        assert (checks["start"], checks["shutdown"], checks["idle exit"]) == ("ok", "ok", "ok")


def test_a_launcher_for_another_processor_is_tried_with_its_program(built, tmp_path):
    command, folder = built
    answer = subprocess.run(
        [binary(folder, HOST), "capabilities"], capture_output=True, check=True
    ).stdout
    path = tmp_path / "launcher"
    packed = tgz(program(content=binary(folder, OTHER).read_bytes()))
    environ = {**command.environ, "GOCACHE": GO_CACHE}
    stub = compiled(OTHER, tmp_path, environ)
    path.write_bytes(launcher(packed, capabilities=answer, stub=stub))
    path.chmod(0o755)
    (result,) = contract_results(
        [Binary(path, "launcher", OTHER)], machine=Machine(HOST, command.environ)
    )
    assert result.result == "ok", result.checks
    assert result.checks[0].detail == "the program says the same"
