"""A plugin that is a folder: unpacked, every file in the receipt, its program linked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import DigestMismatchError, UnsafeArchiveError, WrongBinaryError
from ocm_pkg.model.digest import digest_of
from tests.fakes.install_world import LINUX, World
from tests.fakes.plugins_to_install import descriptor, good_probe, program, resource, signed
from tests.fakes.tars import Member, folder, link, tar, tgz
from tests.fakes.tars import program as member
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.contract.capabilities import Capabilities
    from ocm_pkg.errors import OcmPkgError

GZIP = "application/x-tar+gzip"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def contents(version: str) -> tuple[Member, ...]:
    return (
        folder("hello"),
        member("hello/hello", program(version)),
        Member("hello/lib/x.so", b"library", mode=0o755),
        link("hello/x.so", "lib/x.so"),
    )


def offer(
    world: World,
    data: bytes,
    version: str = "1.0.0",
    media_type: str = GZIP,
    wanted: str | None = "hello/hello",
) -> None:
    value: dict[str, Any] = {"formatVersion": 1, "shape": "dir", "program": wanted}
    labels = [{"name": "ocm-pkg.dev/shape", "value": value, "signing": True}] if wanted else []
    one = resource(data, LINUX, labels=labels)
    one["access"]["mediaType"] = media_type
    world.repository.blobs[digest_of(data)] = data
    world.repository.add(signed(descriptor(version, [one])), replace=True)


@pytest.mark.parametrize(
    ("pack", "media_type", "wanted"),
    [
        (tgz, GZIP, "hello/hello"),
        (tgz, GZIP, None),
        (tar, "application/x-tar", None),
        (tgz, "application/x-tgz", None),
    ],
)
def test_A_twin_a_folder_is_installed_whole(
    world: World, pack: Any, media_type: str, wanted: str | None
) -> None:
    offer(world, pack(*contents("1.0.0")), media_type=media_type, wanted=wanted)
    installed = world.install()
    assert world.link.read_bytes() == program("1.0.0")
    assert world.link.resolve().parent.joinpath("x.so").read_bytes() == b"library"
    receipt = installed.receipt
    assert (receipt.shape, installed.state) == ("dir", "ok")
    assert receipt.program.endswith("/hello/hello")
    assert [(file.path, f"{file.mode:o}", file.link) for file in receipt.files] == [
        ("hello/hello", "755", None),
        ("hello/lib/x.so", "644", None),
        ("hello/x.so", "777", "lib/x.so"),
    ]
    assert world.install().changed is False


def test_a_version_replaces_another_and_a_file_a_folder(world: World) -> None:
    offer(world, tgz(*contents("1.0.0")))
    world.install()
    world.offer("2.0.0")
    assert world.install("2.0.0").receipt.previous == "1.0.0"
    assert world.link.read_bytes() == program("2.0.0")
    offer(world, tgz(*contents("3.0.0")), "3.0.0")
    assert world.install("3.0.0").receipt.previous == "2.0.0"
    assert world.link.read_bytes() == program("3.0.0")
    assert world.leftovers() == []


def test_a_changed_file_of_the_folder_is_noticed_and_mended(world: World) -> None:
    offer(world, tgz(*contents("1.0.0")))
    world.install()
    library = world.link.resolve().parent / "lib/x.so"
    library.write_bytes(b"another")
    current = world.place.installed("hello")
    assert current is not None
    assert world.place.state(current) == "changed"
    assert world.install().changed is True
    assert library.read_bytes() == b"library"


def refused(world: World, kind: type[OcmPkgError], match: str, **arguments: Any) -> None:
    before = snapshot(world.root)
    with pytest.raises(kind, match=match):
        world.install("9.0.0", **arguments)
    assert snapshot(world.root) == before


@pytest.mark.parametrize("earlier", [True, False])
def test_A_unsafe_archives_leave_what_was_installed(world: World, earlier: bool) -> None:
    if earlier:
        offer(world, tgz(*contents("1.0.0")))
        world.install()
    for number, (members, match) in enumerate(
        [
            ((*contents("9.0.0"), Member("../evil", b"x")), "has the part"),
            ((*contents("9.0.0"), link("up", "../..")), "leads to"),
            ((Member("hello/hello", b""),), "an empty file"),
            ((member("hello/other"),), "which is missing"),
        ]
    ):
        offer(world, tgz(*members, Member("number", bytes([number]))), "9.0.0")
        refused(world, UnsafeArchiveError, match)
    offer(world, tar(*contents("9.0.0")), "9.0.0")
    refused(world, UnsafeArchiveError, "no gzip")
    offer(world, tgz(*contents("9.0.0")), "9.0.0")
    refused(world, UnsafeArchiveError, "allowed", order={"max_size": 100})
    assert world.install("9.0.0").changed


def test_A_bytes_that_are_not_the_signed_ones_are_refused(world: World) -> None:
    data = tgz(*contents("9.0.0"))
    offer(world, data, "9.0.0")
    world.repository.blobs[digest_of(data)] = tgz(*contents("8.0.0"))
    refused(world, DigestMismatchError, "expected|not what")


def test_A_a_program_for_elsewhere_and_one_that_changes_its_folder_are_refused(
    world: World,
) -> None:
    offer(world, tgz(member("hello/hello", b"MZ" + bytes(100))), "9.0.0")
    refused(world, WrongBinaryError, "not for linux/amd64")
    offer(world, tgz(*contents("9.0.0")), "9.0.0")

    def rude(path: Path) -> Capabilities:
        (path.parent / "cache").write_bytes(b"new")
        return good_probe(path)

    refused(world, DigestMismatchError, "changed its own files", probe=rude)
