"""A release of several machines, the whole way: two parts, joined, signed, published, rebuilt."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.command import Command
from tests.fakes.serve_command import serving

if TYPE_CHECKING:
    from tests.fakes.command import Ran

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # Go compiles its own packages first, once on each machine
    pytest.mark.skipif(
        sys.platform != "linux" or not (Path(sys.prefix) / "wheels/.ready").exists(),
        reason="needs Linux, and the wheels that build_scripts/wheels.py fetches",
    ),
    *(
        pytest.mark.skipif(shutil.which(tool) is None, reason=f"needs {tool}")
        for tool in ("git", "go", "objdump", "qemu-aarch64-static")
    ),
]
NAME = "example.com/plugins/hello"
ARM = "  - {platform: linux/arm64, builder: assemble}\n"
SIX = tuple(
    f"{system}/{cpu}" for system in ("darwin", "linux", "windows") for cpu in ("amd64", "arm64")
)


class Author:
    """A project under git, with a home and a key; builds happen in clones of it."""

    def __init__(self, root: Path, template: str) -> None:
        self.root, self.folder = root, root / "hello"
        self.command = self.at_home("home")
        self.ran("init", "hello", "--template", template, cwd=root)
        if template == "python":
            file = self.folder / "ocm-pkg.yaml"
            said = file.read_text()
            assert said.count("  - linux/amd64\n") == 1
            file.write_text(said.replace("  - linux/amd64\n", "  - linux/amd64\n" + ARM))
        who = ("-c", "user.name=hello", "-c", "user.email=hello@example.com")
        for words in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "First")):
            subprocess.run(["git", *words], cwd=self.folder, check=True)
        self.ran("key", "new", cwd=root)

    def at_home(self, name: str) -> Command:
        command = Command(self.root / name)
        command.environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(Path(sys.prefix) / "wheels")}
        return command

    def ran(self, *words: object, cwd: Path, command: Command | None = None) -> Ran:
        ran = (command or self.command)(*words, cwd=cwd, timeout=300)
        assert ran.code == 0, ran
        return ran

    def clone(self, *where: str) -> Path:
        folder = self.root.joinpath(*where)
        subprocess.run(["git", "clone", "-q", self.folder, folder], check=True)
        return folder

    def machine(self, name: str, *targets: str, command: Command | None = None) -> Path:
        """Build some targets in a clone of its own; return what it hands over."""
        wanted = [word for target in targets for word in ("--target", target)]
        out = self.root / name / "dist"
        clone = self.clone(name, "some", "where", "hello")
        self.ran("build", *wanted, "--out", out, cwd=clone, command=command)
        return out

    def package(self, name: str, *parts: Path) -> tuple[Path, str]:
        """Join parts in a clone of its own; return its folder, and the component's digest."""
        clone = self.clone(name, "hello")
        self.ran("merge", *parts, "--out", "dist", cwd=clone)
        return clone, self.ran("package", "-o", "json", cwd=clone).json["digest"]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    author = Author(tmp_path_factory.mktemp("python"), "python")
    parts = author.machine("one", "linux/amd64"), author.machine("two", "linux/arm64")
    return author, *author.package("release", *parts)


def test_each_binary_passes_the_contract_here_be_it_emulated(python):
    author, clone, _digest = python
    results = author.ran("test", "-o", "json", cwd=clone).json["plugins"]
    assert {one["platform"]: one["result"] for one in results} == {
        "linux/amd64": "ok",
        "linux/arm64": "ok",
    }


def test_machines_elsewhere_make_the_same_component_version(python):
    author, _clone, digest = python
    there = author.at_home("other-home")
    umask = os.umask(0o077)
    try:
        parts = [
            author.machine("four", "linux/arm64", command=there),
            author.machine("three", "linux/amd64", command=there),
        ]
    finally:
        os.umask(umask)
    assert author.package("again", *parts)[1] == digest


def test_what_is_published_is_installed_and_can_be_rebuilt(python):
    author, clone, digest = python
    author.ran("sign", "cv", f"ctf//{NAME}", cwd=clone)
    with serving(author.root / "registry", "--writable", cwd=author.root) as served:
        sent = author.ran("publish", "--to", f"{served.url}/base", "-o", "json", cwd=clone).json
        assert (sent["component"], sent["digest"]) == (NAME, digest)
        ref = f"{served.url}/base//{NAME}"
        author.ran("verify", "cv", ref, cwd=author.root)
        installed = author.ran("plugin", "install", ref, "-o", "json", cwd=author.root).json
        assert_as_the_reference_wants(Path(installed["path"]).parent, "hello")
        again = author.ran("rebuild", ref, "--source", author.folder, "-o", "json", cwd=author.root)
    assert again.json["result"] == "identical"
    assert {one["platform"]: one["result"] for one in again.json["targets"]} == {
        "linux/amd64": "identical",
        "linux/arm64": "identical",
    }


def test_six_targets_of_go_are_released_from_two_machines(tmp_path):
    author = Author(tmp_path, "go")
    parts = author.machine("one", *SIX[:3]), author.machine("two", *SIX[3:])
    clone, digest = author.package("release", *parts)
    others = author.machine("three", *SIX[::2]), author.machine("four", *SIX[1::2])
    assert author.package("again", *others)[1] == digest
    author.ran("sign", "cv", f"ctf//{NAME}", cwd=clone)
    with serving(author.root / "registry", "--writable", cwd=author.root) as served:
        author.ran("publish", "--to", f"{served.url}/base", cwd=clone)
        ref = f"{served.url}/base//{NAME}"
        for platform in SIX:
            into = ("--platform", platform, "--into", author.root / platform)
            author.ran("plugin", "install", ref, *into, cwd=author.root)
        again = author.ran("rebuild", ref, "--source", author.folder, "-o", "json", cwd=author.root)
    assert {one["platform"]: one["result"] for one in again.json["targets"]} == dict.fromkeys(
        SIX, "identical"
    )
    assert_as_the_reference_wants(author.root / "linux/amd64", "hello")


def assert_as_the_reference_wants(folder: Path, name: str) -> None:
    """The reference runs each file without a dot in its name, and fails if one misbehaves."""
    entries = [path for path in folder.iterdir() if "." not in path.name]
    assert [path.name for path in entries] == [name]
    done = subprocess.run([entries[0], "capabilities"], capture_output=True, check=True, timeout=60)
    assert set(json.loads(done.stdout)) >= {"type", "capabilities"}
