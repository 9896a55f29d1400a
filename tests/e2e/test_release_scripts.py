"""Binaries of several machines become one release, or nothing does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.binaries import elf, macho
from tests.fakes.command import Command
from tests.fakes.trees import names, snapshot

if TYPE_CHECKING:
    from tests.fakes.command import Ran

PROJECT = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
targets:
  - {platform: linux/amd64, builder: prebuilt, path: linux}
  - {platform: darwin/arm64, builder: prebuilt, path: darwin}
"""
REFERENCE = "example.com/plugins/hello:1.0.0"


class Shop:
    """A project, a folder for each build machine, and a key."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.command = Command(root / "home")
        (root / "project").mkdir()
        (root / "project/ocm-pkg.yaml").write_text(PROJECT)
        (root / "project/linux").write_bytes(elf())
        (root / "project/darwin").write_bytes(macho())
        self.ocm_pkg("key", "new", "release", "--out", "keys")

    def ocm_pkg(self, *words: object) -> Ran:
        ran = self.command(*words, cwd=self.root)
        assert ran.code == 0, ran
        return ran

    def machine(self, name: str, target: str) -> str:
        self.ocm_pkg("build", "--project", "project", "--target", target, "--out", name)
        return name

    def release(self, *folders: str, to: str, key: str = "keys/release.private.pem") -> Ran:
        """Join what machines have built, and release it."""
        joined = f"joined-for-{to}"
        ran = self.command(
            "merge", *folders, "--out", joined, "--project", "project", cwd=self.root
        )
        if ran.code:
            return ran
        words = ("--from-step", "package", "--out", joined, "--project", "project")
        return self.command("release", *words, "--to", to, "--key", key, cwd=self.root)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Two machines that have built their target."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.machine("linux", "linux/amd64")
    shop.machine("mac", "darwin/arm64")
    return shop


def test_the_release_has_every_binary_and_is_signed(built):
    ran = built.release("linux", "mac", to="released")
    assert ran.code == 0, ran.err
    assert ran.out == f"released//{REFERENCE}\n"
    key = ("--key", "keys/release.public.pem")
    built.ocm_pkg("verify", "cv", f"released//{REFERENCE}", *key)
    (descriptor,) = built.ocm_pkg("get", "cv", f"released//{REFERENCE}", "-o", "json").json
    plugins = [one for one in descriptor["component"]["resources"] if one["type"] == "ocmPlugin"]
    assert {one["extraIdentity"]["os"] for one in plugins} == {"linux", "darwin"}
    installed = built.ocm_pkg(
        *("plugin", "install", f"released//{REFERENCE}", *key, "--into", "plugins"),
        *("--platform", "darwin/arm64", "-o", "json"),
    ).json
    assert Path(installed["path"]).read_bytes() == macho()


def test_the_order_of_the_machines_makes_no_difference(built):
    assert built.release("linux", "mac", to="one").code == 0
    assert built.release("mac", "linux", to="other").code == 0
    hashes = {built.ocm_pkg("hash", "cv", f"{to}//{REFERENCE}").out for to in ("one", "other")}
    assert len(hashes) == 1


def test_a_missing_target_is_refused_unless_partial(built):
    ran = built.release("linux", to="partly")
    assert (ran.code, "darwin/arm64" in ran.err) == (6, True)
    project = ("--project", "project", "--partial")
    built.ocm_pkg("merge", "linux", "--out", "only-linux", *project)
    words = ("--from-step", "package", "--out", "only-linux", "--to", "partly", *project)
    key = ("--key", "keys/release.private.pem")
    refused = built.command("release", *words[:-1], *key, cwd=built.root)
    assert (refused.code, "darwin/arm64" in refused.err) == (6, True)
    assert not (built.root / "partly").exists()
    built.ocm_pkg("release", *words, *key)


def test_a_target_twice_is_refused(built):
    again = built.machine("again", "linux/amd64")
    ran = built.release("linux", "mac", again, to="twice")
    assert ran.code == 8
    assert "linux/amd64 is in" in ran.err
    assert not (built.root / "twice").exists()


def test_a_key_that_is_not_there_is_named_before_anything_is_done(built):
    ran = built.release("linux", "mac", to="no", key="keys/none.private.pem")
    assert ran.code == 3
    assert "none.private.pem" in ran.err
    assert not (built.root / "no").exists()


def test_other_content_under_the_same_version_is_refused_and_what_was_released_stays(tmp_path):
    shop = Shop(tmp_path)
    shop.machine("linux", "linux/amd64")
    shop.machine("mac", "darwin/arm64")
    assert shop.release("linux", "mac", to="released").code == 0
    before = snapshot(tmp_path / "released")
    (tmp_path / "project/linux").write_bytes(elf() + b"changed")
    shop.machine("linux2", "linux/amd64")
    shutil.rmtree(tmp_path / "joined-for-released")
    ran = shop.release("linux2", "mac", to="released")
    assert ran.code == 8
    assert snapshot(tmp_path / "released") == before


def test_merge_says_what_it_joined(built):
    words = ("merge", "linux", "mac", "--project", "project", "--out")
    dry = built.ocm_pkg(*words, "joined", "--dry-run", "-o", "json")
    assert not (built.root / "joined").exists()
    said = built.ocm_pkg(*words, "joined", "-o", "json")
    assert said.json == dry.json
    assert said.json["missing"] == []
    assert names(built.root / "joined") == ["hello.darwin-arm64", "hello.linux-amd64", "part.json"]
    assert [Path(each["file"]).name for each in said.json["targets"]] == [
        "hello.darwin-arm64",
        "hello.linux-amd64",
    ]
    assert "hello.linux-amd64" in built.ocm_pkg(*words, "joined2").out
    again = built.command(*words, "joined", cwd=built.root)
    assert again.code == 8
    built.ocm_pkg("check", "--project", "project", "--out", built.root / "joined")


def test_merge_names_the_targets_that_it_lacks(built):
    words = ("merge", "linux", "--project", "project", "--partial", "-o", "json")
    ran = built.ocm_pkg(*words, "--out", "lacking")
    assert ran.json["missing"] == ["darwin/arm64"]
    assert "without darwin/arm64" in ran.err


def test_merge_warns_of_changes_that_are_in_no_commit(built):
    folders = []
    for name in ("linux", "mac"):
        folder = built.root / f"dirty-{name}"
        folder.mkdir()
        for path in (built.root / name).glob("hello.*"):
            (folder / path.name).write_bytes(path.read_bytes())
        part = json.loads((built.root / name / "part.json").read_bytes())
        part["commit"] = "0" * 40 + "-dirty"
        (folder / "part.json").write_text(json.dumps(part))
        folders.append(folder)
    ran = built.ocm_pkg("merge", *folders, "--project", "project", "--out", "dirty")
    assert "changes that are in no commit" in ran.err


def test_merge_of_one_folder_twice_is_refused(built):
    words = ("merge", "linux", "./linux/../linux", "--project", "project", "--out", "no")
    ran = built.command(*words, cwd=built.root)
    assert (ran.code, "named twice" in ran.err) == (8, True)
