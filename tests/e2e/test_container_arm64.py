"""The template's plugin for linux/arm64, built and run on linux/amd64 through an emulator.

It takes minutes: it is run by `make e2e-arm64`, and otherwise only where what builds was changed,
in the work tree or by the last commit.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ocm_pkg.model.binary import HEADER_BYTES, platforms_of
from ocm_pkg.model.platform import Platform
from tests.fakes.buildah import SCRIPTS, Buildah, debian_root
from tests.fakes.command import Command

ROOT = Path(__file__).parents[2]
ASKED = "OCM_PKG_E2E_ARM64"
BUILDS = (
    *("ocm_pkg/builders", "ocm_pkg/sdk", "ocm_pkg/contract", "ocm_pkg/fs/process.py"),
    *("build_scripts/debian_root.py", "build_scripts/emulated.py"),
    *("tests/e2e/test_container_arm64.py", "tests/fakes/buildah.py"),
)
LONG = 1500
ARM64 = Platform("linux", "arm64")


def is_wanted() -> bool:
    """Whether it was asked for, or what builds is not as before the last commit."""
    if os.environ.get(ASKED):
        return True
    git = ["git", "diff", "--quiet", "HEAD~1", "--", *BUILDS]
    return shutil.which("git") is not None and (
        subprocess.run(git, cwd=ROOT, capture_output=True, timeout=60, check=False).returncode == 1
    )


pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(2 * LONG),
    pytest.mark.skipif(
        sys.platform != "linux" or os.uname().machine != "x86_64",
        reason="it is about building on linux/amd64",
    ),
    pytest.mark.skipif(
        not all(map(shutil.which, ("buildah", "mmdebstrap", "qemu-aarch64-static"))),
        reason="needs buildah, mmdebstrap and qemu-user-static",
    ),
    pytest.mark.skipif(os.getuid() != 0, reason="only root can tell the kernel of an emulator"),
]


EMULATED = (sys.executable, SCRIPTS / "emulated.py")


@pytest.fixture
def root(request):
    """The tar of a Debian for linux/arm64."""
    if not is_wanted():
        pytest.skip("what builds is as before the last commit; make e2e-arm64 runs it anyway")
    tried = subprocess.run([*EMULATED, "true"], capture_output=True, timeout=60, check=False)
    if tried.returncode:
        pytest.skip(f"no emulator can be registered here: {tried.stderr.decode().strip()}")
    return debian_root("arm64", request.config)


@pytest.fixture
def buildah(tmp_path):
    store = Buildah(tmp_path)
    yield store
    store.close()


def libraries(root, folder):
    """Unpack the libraries of a root; return the folder that stands for it."""
    with tarfile.open(root) as archive:
        wanted = [
            member
            for member in archive
            if member.name.startswith(("./lib", "./usr/lib/aarch64-linux-gnu"))
        ]
        archive.extractall(folder, wanted, filter="tar")
    return folder


def test_a_plugin_for_arm64_is_built_on_amd64_and_answers(tmp_path, root, buildah):
    image = buildah.image("debian-python", "arm64", root)
    command = Command(tmp_path / "home", (*EMULATED, sys.executable, "-m", "ocm_pkg"))
    wheels = {"PIP_FIND_LINKS": str(root.parent / "wheels"), "PIP_NO_INDEX": "1"}
    command.environ.update({**buildah.environ, **wheels})
    assert command("init", "hello", cwd=tmp_path).code == 0
    (tmp_path / "hello/ocm-pkg.yaml").write_text(
        "{formatVersion: 1, component: e.com/hello, version: 1.0.0, provider: p,"
        " build: {entry: src/hello_plugin/__main__.py}, targets:"
        f" [{{platform: linux/arm64, builder: container, shape: file, image: '{image}'}}]}}\n"
    )
    ran = command("build", cwd=tmp_path / "hello", timeout=LONG)
    assert ran.code == 0, ran.err
    program = tmp_path / "hello/dist/hello.linux-arm64"
    assert platforms_of(program.read_bytes()[:HEADER_BYTES]) == (ARM64,)
    (target,) = json.loads((program.parent / "part.json").read_bytes())["targets"]
    assert target["tools"]["image"] == image
    done = subprocess.run(
        [*EMULATED, program, "capabilities"],
        env={**os.environ, "QEMU_LD_PREFIX": str(libraries(root, tmp_path / "arm64"))},
        capture_output=True,
        timeout=300,
        check=True,
    )
    assert "HelloRepository/v1" in json.loads(done.stdout)["type"]
