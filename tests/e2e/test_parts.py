"""Parts: what each machine hands over, as files or as a CTF, becomes one release."""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.fakes.binaries import elf, macho
from tests.fakes.command import Command
from tests.fakes.trees import names, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.command import Ran

PROJECT = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
targets:
  - {platform: linux/arm64, builder: prebuilt, path: linux, shape: file}
  - {platform: darwin/arm64, builder: prebuilt, path: darwin, shape: file}
"""
MACHINES = {"linux": "linux/arm64", "mac": "darwin/arm64"}


class Shop:
    """A project, and two machines that have built a target of it each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.command = Command(root / "home")
        (root / "project").mkdir()
        (root / "project/ocm-pkg.yaml").write_text(PROJECT)
        (root / "project/linux").write_bytes(elf(183))
        (root / "project/darwin").write_bytes(macho())
        for name, platform in MACHINES.items():
            self.run("build", "--project", "project", "--target", platform, "--out", name)

    def run(self, *words: object) -> Ran:
        ran = self.command(*words, cwd=self.root)
        assert ran.code == 0, ran
        return ran

    def part(self, name: str, form: str) -> str:
        """Package what a machine has built; return the folder that it hands over."""
        folder = f"{name}-{form.replace('.', '-')}"
        into = f"{folder}/{form}"
        words = ("--project", "project", "--out", name, "--to", into, "--partial")
        self.run("package", *words)
        shutil.copy(self.root / name / "part.json", self.root / folder)
        return folder

    def merged(self, *folders: str) -> Path:
        out = self.root / f"merged-{len(list(self.root.iterdir()))}"
        self.run("merge", *folders, "--project", "project", "--out", out)
        return out


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


@pytest.mark.parametrize("form", ["ctf", "ctf.tgz"])
def test_a_CTF_with_its_report_is_as_good_as_the_files(shop, form):
    parts = [shop.part(name, form) for name in MACHINES]
    assert names(shop.root / parts[0]) == [form, "part.json"]
    expected = snapshot(shop.merged(*MACHINES))
    for order in itertools.permutations(parts):
        assert snapshot(shop.merged(*order)) == expected


def test_the_component_version_of_merged_parts_is_that_of_one_machine(shop, tmp_path):
    joined = shop.merged("mac", "linux")
    shop.run("build", "--project", "project", "--out", "all")
    said = {
        shop.run(
            *("package", "--project", "project", "--out", out, "--to", tmp_path / out.name),
            *("-o", "json"),
        ).json["digest"]
        for out in (joined, shop.root / "all")
    }
    assert len(said) == 1


def test_a_part_of_a_changed_project_is_refused(shop):
    project = shop.root / "project/ocm-pkg.yaml"
    project.write_text(PROJECT.replace("provider: example.com", "provider: example.org"))
    try:
        words = ("--project", "project", "--target", "darwin/arm64", "--out", "changed")
        shop.run("build", *words)
        merge = ("merge", "linux", "changed", "--project", "project", "--out", "no")
        ran = shop.command(*merge, cwd=shop.root)
    finally:
        project.write_text(PROJECT)
    assert ran.code == 2
    assert "were built from a different project file" in ran.err
    assert not (shop.root / "no").exists()


def test_a_gap_is_refused_and_named(shop):
    words = ("merge", "linux", "--project", "project", "--out", "no")
    ran = shop.command(*words, cwd=shop.root)
    assert ran.code == 6
    assert "no folder has a binary for darwin/arm64" in ran.err
    assert not (shop.root / "no").exists()
