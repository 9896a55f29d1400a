"""The project releases itself, by its own commands, from a checkout without changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.command import Command
from tests.fakes.release_room import needs_git
from tests.fakes.trees import names, snapshot

PROJECT = Path(__file__).parents[2]
NAMES = ["ocm.software/plugins/oci", "ocm.software/plugins/ctf", "ocm.software/ocm-pkg"]
PARTS = ("build_scripts", "component_templates", "ocm_pkg")
FILES = (
    *("ocm-pkg.yaml", "pyproject.toml", "requirements.lock"),
    *("README.md", "LICENSE", ".gitignore"),
)
pytestmark = [
    needs_git,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("objdump") is None,
        reason="needs Linux with binutils",
    ),
]


class Shop:
    """A checkout, an environment from its lock, a key, and what was built with them."""

    def __init__(self, root: Path) -> None:
        self.root, self.checkout = root, root / "checkout"
        left_out = shutil.ignore_patterns("__pycache__", ".*_cache", "bin")
        for name in PARTS:
            shutil.copytree(PROJECT / name, self.checkout / name, ignore=left_out)
        for name in FILES:
            shutil.copy(PROJECT / name, self.checkout / name)
        for words in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "a state"]):
            known = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
            subprocess.run(["git", *known, *words], cwd=self.checkout, check=True)
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        home = root / "home"
        home.mkdir()
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(home), **pip}
        self.python = str(root / "environment/bin/python")
        lock = ("--lock", self.checkout / "requirements.lock")
        made = self.script("environment.py", root / "environment", *lock, python=sys.executable)
        assert made.returncode == 0, made.stderr
        self.command = Command(home, [self.python, "-m", "ocm_pkg"])
        self.command.environ.pop("PYTHONPATH")
        self.accepted("key", "new", "release", "--out", "keys")
        built = self.script("release.py", "--build", "parts")
        assert built.returncode == 0, built.stderr

    def script(self, name: str, *words: object, python: str = "") -> subprocess.CompletedProcess:
        return subprocess.run(
            [python or self.python, self.checkout / "build_scripts" / name, *map(str, words)],
            cwd=self.root,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )

    def release(self, *words: object) -> subprocess.CompletedProcess:
        key = ("--key", "keys/release.private.pem")
        return self.script("release.py", "parts", "--to", "released", *key, *words)

    def accepted(self, *words: object):
        ran = self.command(*words, cwd=self.root)
        assert ran.code == 0, ran
        return ran


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The three, built and released, though only for this machine."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    refused = shop.release()
    assert refused.returncode == 6, refused.stderr
    assert not (shop.root / "released").exists()
    done = shop.release("--partial")
    assert done.returncode == 0, done.stderr
    assert [line.rpartition(":")[0] for line in done.stdout.splitlines()] == [
        f"released//{name}" for name in NAMES
    ]
    return shop


def test_all_three_are_signed_and_their_content_is_what_was_signed(shop):
    for name in NAMES:
        reference = f"released//{name}"
        shop.accepted("verify", "cv", reference, "--key", "keys/release.public.pem")


def test_the_released_plugin_is_installed_and_answers(shop):
    key = ("--key", "keys/release.public.pem")
    said = shop.accepted("plugin", "install", f"released//{NAMES[0]}", *key, "-o", "json").json
    assert said["name"] == "oci"
    assert shop.accepted("plugin", "capabilities", "oci").out


def test_the_released_program_runs_without_a_python(shop):
    (descriptor,) = shop.accepted("get", "cv", f"released//{NAMES[2]}", "-o", "json").json
    resources = descriptor["component"]["resources"]
    (program,) = [one for one in resources if one["type"] == "executable"]
    identity = ",".join(f"{key}={value}" for key, value in program["extraIdentity"].items())
    wanted = ("--identity", f"name=ocm-pkg,{identity}", "--output", "ocm-pkg")
    shop.accepted("download", "resource", f"released//{NAMES[2]}", *wanted)
    binary = shop.root / "ocm-pkg"
    binary.chmod(0o755)
    alone = Command(shop.root / "other-home", [binary])
    alone.environ = {"PATH": "/nowhere", "HOME": str(shop.root / "other-home")}
    assert descriptor["component"]["version"] in alone("version", cwd=shop.root).out
    assert alone("get", "cv", f"released//{NAMES[2]}", cwd=shop.root).code == 0


def test_released_again_nothing_changes(shop):
    before = snapshot(shop.root / "released")
    done = shop.release("--partial")
    assert done.returncode == 0, done.stderr
    assert snapshot(shop.root / "released") == before


def test_what_is_in_no_commit_is_not_released(shop):
    file = shop.checkout / "ocm_pkg/__main__.py"
    text = file.read_text()
    try:
        file.write_text(text + "# changed\n")
        before = names(shop.root / "released")
        assert shop.release("--partial").returncode != 0
        assert names(shop.root / "released") == before
    finally:
        file.write_text(text)
