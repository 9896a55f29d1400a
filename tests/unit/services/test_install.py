from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import (
    IntegrityError,
    LocalStorageError,
    PluginNotFoundError,
    UnsafeArchiveError,
    UntrustedError,
    UsageError,
)
from ocm_pkg.fs.installation import Place
from ocm_pkg.model.digest import digest_of
from ocm_pkg.services.install import preview
from ocm_pkg.services.installed import installed, remove, show
from tests.fakes.install_world import LINUX
from tests.fakes.plugins_to_install import (
    COMPONENT,
    descriptor,
    offer,
    program,
    resource,
    signed,
    trust,
)
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from tests.fakes.install_world import World


def test_a_plugin_is_installed_with_receipt_and_link(world: World) -> None:
    done = world.install()
    data = world.root / "data"
    store = data / "store" / f"sha256-{digest_of(program('1.0.0')).hex}"
    assert world.link.resolve() == store / "hello"
    assert world.link.read_bytes() == program("1.0.0")
    assert (oct(store.stat().st_mode)[-3:], oct((store / "hello").stat().st_mode)[-3:]) == (
        "555",
        "755",
    )
    receipt = json.loads((data / "receipts/hello.json").read_text())
    assert (receipt["version"], receipt["previous"], receipt["source"]) == ("1.0.0", None, "./ctf")
    assert receipt["signature"]["name"] == "default"
    assert receipt["program"] == f"store/{store.name}/hello"
    assert done.changed
    assert world.leftovers() == []


def test_the_json_is_what_the_command_line_promises(world: World) -> None:
    value = world.install().to_json()
    assert {name: value[name] for name in ("name", "component", "version", "platform")} == {
        "name": "hello",
        "component": COMPONENT,
        "version": "1.0.0",
        "platform": "linux/amd64",
    }
    assert value["path"] == str(world.link)
    assert value["digest"] == str(digest_of(program("1.0.0")))
    assert value["signature"]["signer"].startswith("sha256:")
    assert value["verified"] == ["signature", "digest", "platform", "capabilities"]
    assert value["state"] == "ok"


def test_the_same_again_changes_nothing(world: World) -> None:
    world.install()
    before = snapshot(world.root)
    assert not world.install().changed
    assert snapshot(world.root) == before


def test_a_newer_version_replaces_and_the_one_before_is_kept(world: World) -> None:
    world.offer("3.0.0")
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        world.install(version)
    assert world.link.read_bytes() == program("3.0.0")
    generations = [
        path.name.split("-")[0] for path in (world.root / "data/generations/hello").iterdir()
    ]
    assert sorted(generations) == ["2.0.0", "3.0.0"]
    assert len(list((world.root / "data/store").iterdir())) == 2
    assert json.loads((world.root / "data/receipts/hello.json").read_text())["previous"] == "2.0.0"


def test_content_that_is_stored_already_is_not_stored_twice(world: World) -> None:
    world.install()
    world.install(order={"name": "other"})
    assert len(list((world.root / "data/store").iterdir())) == 1
    assert (world.place.plugins / "other").read_bytes() == program("1.0.0")
    remove("hello", world.place)
    assert (world.place.plugins / "other").read_bytes() == program("1.0.0")


def test_two_plugin_folders_share_the_data_folder(world: World) -> None:
    other = Place(world.root / "others", world.root / "data")
    world.install("1.0.0", place=other)
    world.install("2.0.0")
    world.offer("3.0.0")
    world.install("3.0.0")
    world.offer("4.0.0")
    world.install("4.0.0")
    assert (other.plugins / "hello").read_bytes() == program("1.0.0")
    remove("hello", world.place)
    assert [one.receipt.version for one in installed(other)] == ["1.0.0"]
    assert installed(other)[0].state == "ok"


def test_unsigned_is_installed_only_on_demand_and_the_receipt_says_so(world: World) -> None:
    offer(world.repository, "1.5.0", LINUX)
    done = world.install("1.5.0", order={"allow_unsigned": True})
    assert (done.to_json()["signature"], done.verified[0]) == (None, "digest")


def test_without_a_probe_nothing_is_started(world: World) -> None:
    assert world.install(probe=None).receipt.capabilities == {}


def test_the_umask_has_no_say(world: World) -> None:
    old = os.umask(0o777)
    try:
        world.install()
    finally:
        os.umask(old)
    modes = {oct(path.stat().st_mode)[-3:] for path in (world.root / "data").rglob("*")}
    assert modes <= {"755", "555", "644"}
    assert oct(world.place.plugins.stat().st_mode)[-3:] == "755"


def test_removing_takes_everything_away(world: World) -> None:
    world.install("1.0.0")
    world.install("2.0.0")
    remove("hello", world.place)
    assert list(world.place.plugins.iterdir()) == []
    assert list((world.root / "data").iterdir()) == []
    assert installed(world.place) == []


@pytest.mark.parametrize("name", ["../x", ".", "", "*", "hello.json", "Hello", "-x"])
def test_I17_removing_what_is_no_name_is_refused(world: World, name: str) -> None:
    world.install()
    before = snapshot(world.root)
    with pytest.raises(UsageError):
        remove(name, world.place)
    assert snapshot(world.root) == before


def test_what_others_put_there_is_not_removed(world: World) -> None:
    world.place.plugins.mkdir()
    (world.place.plugins / "mine").symlink_to("/bin/sh")
    with pytest.raises(PluginNotFoundError):
        remove("mine", world.place)
    assert (world.place.plugins / "mine").is_symlink()


def test_a_touched_file_is_still_ok_and_a_changed_one_is_not(world: World) -> None:
    world.install()
    file = world.link.resolve()
    os.utime(file)
    assert show("hello", world.place).state == "ok"
    file.write_bytes(b"x" * file.stat().st_size)
    assert show("hello", world.place).state == "changed"
    file.parent.chmod(0o755)
    file.unlink()
    assert [one.state for one in installed(world.place)] == ["missing"]


def test_I15_a_change_that_hides_its_times_is_found_by_reading(world: World) -> None:
    world.install()
    file = world.link.resolve()
    times = file.stat()
    file.write_bytes(b"y" * times.st_size)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert show("hello", world.place, full=True).state == "changed"


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_installing_again_repairs(world: World, damage: str) -> None:
    world.install("1.0.0")
    world.install("2.0.0")
    file = world.link.resolve()
    if damage == "changed":
        file.write_bytes(b"bad")
    else:
        file.parent.chmod(0o755)
        file.unlink()
    done = world.install("2.0.0")
    assert (done.changed, done.receipt.previous) == (True, "1.0.0")
    assert world.link.read_bytes() == program("2.0.0")
    assert show("hello", world.place, full=True).state == "ok"


def test_a_crash_before_the_receipts_link_is_healed(world: World) -> None:
    world.install("1.0.0")

    def crash(step: str) -> None:
        if step == "install.committed":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.install("2.0.0", fail_point=crash)
    link = world.root / "data/receipts/hello.json"
    link.unlink()
    world.install("2.0.0")
    assert json.loads(link.read_text())["version"] == "2.0.0"


def test_a_preview_says_what_would_be_installed_and_writes_nothing(world: World) -> None:
    arguments: dict[str, Any] = {
        "repository": world.repository,
        "trust": trust(),
        "place": world.place,
        "now": world.clock,
    }
    before = snapshot(world.root)
    planned = preview(world.order("1.0.0"), **arguments)
    assert snapshot(world.root) == before
    assert planned["digest"] == str(digest_of(program("1.0.0")))
    assert (planned["path"], planned["verified"]) == (str(world.link), ["signature"])
    offer(world.repository, "9.0.0", LINUX)
    with pytest.raises(UntrustedError):
        preview(world.order("9.0.0"), **arguments)


def test_a_sha512_digest_is_checked(world: World) -> None:
    data = program("9.0.0")
    spec = {
        "hashAlgorithm": "SHA-512",
        "normalisationAlgorithm": "genericBlobDigest/v1",
        "value": digest_of(data, "sha512").hex,
    }
    world.repository.blobs[digest_of(data)] = data
    world.repository.add(signed(descriptor("9.0.0", [resource(data, LINUX, digest=spec)])))
    done = world.install("9.0.0")
    assert done.to_json()["digest"] == f"sha512:{spec['value']}"
    assert world.link.resolve().parent.name == f"sha256-{digest_of(data).hex}"


def test_an_endless_program_is_refused(world: World) -> None:
    world.offer("9.0.0", data=program("9.0.0", size=1000))
    with pytest.raises(UnsafeArchiveError, match="longer than the 500 bytes"):
        world.install("9.0.0", order={"max_size": 500})
    assert not world.place.data.exists()


def test_another_file_system_gets_the_link_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Path.replace

    def replace_here(path: Path, target: Path) -> Path:
        if path.parent.parent == world.place.data and path.name == "link":
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return original(path, target)

    monkeypatch.setattr(Path, "replace", replace_here)
    world.install()
    assert world.link.read_bytes() == program("1.0.0")
    assert world.leftovers() == []


@pytest.mark.parametrize("damage", ["gone", "garbage", "huge"])
def test_a_damaged_receipt_is_said_and_repaired(
    world: World, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.install()
    receipt = world.link.readlink().parent / "receipt.json"
    if damage == "gone":
        receipt.unlink()
    else:
        receipt.write_bytes(b"x" if damage == "garbage" else bytes(5 * 1024 * 1024))
    with pytest.raises(IntegrityError, match="receipt of hello is gone or damaged"):
        show("hello", world.place)
    assert installed(world.place) == []
    assert "receipt of hello" in caplog.text
    assert world.install().changed
    assert show("hello", world.place).state == "ok"


def test_a_link_into_foreign_content_is_a_change(world: World) -> None:
    world.install()
    program_link = world.link.readlink()
    program_link.unlink()
    program_link.symlink_to("/bin/sh")
    assert show("hello", world.place).state in {"changed", "missing"}


def test_a_clean_up_that_fails_does_not_undo_what_was_done(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.install()
    monkeypatch.setattr(Place, "_heal_receipts", failing)
    remove("hello", world.place)
    assert not world.link.is_symlink()
    assert "cleaning" in caplog.text


def failing(*_arguments: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_stuck_holder_of_the_lock_is_named(world: World) -> None:
    with world.place.locked(1), pytest.raises(LocalStorageError, match="in use by"):
        world.install(lock_timeout=0.01)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_nothing_goes_while_a_plugin_folder_hides_what_it_needs(world: World) -> None:
    hidden = Place(world.root / "hidden", world.place.data)
    world.install("2.0.0", place=hidden)
    world.install("1.0.0")
    for path in [world.root, *world.root.rglob("*")]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    for folder in world.root.parents[:3]:
        folder.chmod(0o755)
    hidden.plugins.chmod(0)
    os.seteuid(65534)
    try:
        remove("hello", world.place)
    finally:
        os.seteuid(0)
    hidden.plugins.chmod(0o755)
    assert (hidden.plugins / "hello").read_bytes() == program("2.0.0")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_I06_a_folder_that_may_not_be_written_is_refused_unless_nothing_is_to_do(
    world: World,
) -> None:
    world.install("1.0.0")
    for path in [world.root, *world.root.rglob("*")]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    for folder in world.root.parents[:3]:
        folder.chmod(0o755)
    world.place.plugins.chmod(0o555)
    before = snapshot(world.root)
    os.seteuid(65534)
    try:
        assert not world.install("1.0.0").changed
        with pytest.raises(LocalStorageError, match="read-only or not permitted"):
            world.install("2.0.0")
    finally:
        os.seteuid(0)
    assert snapshot(world.root) == before
