"""A plugin behind a launcher: its folder is unpacked when it is installed, and held to its word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import (
    DigestMismatchError,
    PluginProtocolError,
    UnsafeArchiveError,
    WrongBinaryError,
)
from ocm_pkg.model.digest import digest_of
from tests.fakes.binaries import elf, pe
from tests.fakes.install_world import LINUX, World
from tests.fakes.launchers import STUB, launcher
from tests.fakes.plugins_to_install import CAPABILITIES, descriptor, program, resource, signed
from tests.fakes.tars import Member, link, tgz
from tests.fakes.tars import program as member
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.errors import OcmPkgError

LABEL = {
    "name": "ocm-pkg.dev/shape",
    "value": {"formatVersion": 1, "shape": "launcher"},
    "signing": True,
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def payload(version: str, *more: Member) -> bytes:
    return tgz(
        member("hello/hello", program(version)),
        Member("hello/lib/x.so", b"library", mode=0o755),
        link("hello/x.so", "lib/x.so"),
        *more,
    )


def offer(world: World, data: bytes, version: str = "1.0.0") -> None:
    one = resource(data, LINUX, labels=[LABEL])
    world.repository.blobs[digest_of(data)] = data
    world.repository.add(signed(descriptor(version, [one])), replace=True)


@pytest.mark.parametrize("capabilities", [CAPABILITIES, b"", b" \n" + CAPABILITIES])
def test_A_twin_a_launcher_is_unpacked_when_it_is_installed(
    world: World, capabilities: bytes
) -> None:
    offer(world, launcher(payload("1.0.0"), capabilities=capabilities))
    installed = world.install()
    assert world.link.read_bytes() == program("1.0.0")
    receipt = installed.receipt
    assert (receipt.shape, installed.state) == ("launcher", "ok")
    assert receipt.program.endswith("/hello/hello")
    assert [(file.path, f"{file.mode:o}", file.link) for file in receipt.files] == [
        ("hello/hello", "755", None),
        ("hello/lib/x.so", "644", None),
        ("hello/x.so", "777", "lib/x.so"),
    ]
    assert world.install().changed is False
    assert world.leftovers() == []


def test_one_version_replaces_another(world: World) -> None:
    world.offer("1.0.0")
    world.install()
    offer(world, launcher(payload("2.0.0")), "2.0.0")
    assert world.install("2.0.0").receipt.previous == "1.0.0"
    assert world.link.read_bytes() == program("2.0.0")


def test_for_another_platform_nothing_is_compared(world: World) -> None:
    other = b'{"type":{"Other/v1":["generic"]}}'
    offer(world, launcher(payload("1.0.0"), capabilities=other))
    assert world.install(probe=None).receipt.capabilities == {}


def refused(world: World, kind: type[OcmPkgError], match: str, **arguments: Any) -> None:
    world.offer("1.0.0")
    world.install("1.0.0")
    before = snapshot(world.root)
    with pytest.raises(kind, match=match) as caught:
        world.install("9.0.0", **arguments)
    assert snapshot(world.root) == before
    assert caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        program("9.0.0"),
        STUB,
        launcher(payload("9.0.0"))[:-1],
        launcher(payload("9.0.0")) + b"\0",
        launcher(payload("9.0.0"))[1:],
        launcher(payload("9.0.0"), launcher_size=len(STUB) + 1),
    ],
)
def test_A_a_launcher_without_a_valid_trailer_is_refused(world: World, data: bytes) -> None:
    offer(world, data, "9.0.0")
    refused(world, WrongBinaryError, "trailer|is no program")


@pytest.mark.parametrize(
    ("data", "kind", "match"),
    [
        (
            launcher(payload("9.0.0"), payload=digest_of(b"other")),
            DigestMismatchError,
            "its payload",
        ),
        (
            launcher(payload("9.0.0"), capabilities=CAPABILITIES).replace(b"Hello", b"Hallo"),
            DigestMismatchError,
            "its answer",
        ),
        (launcher(payload("9.0.0"), unpacked_size=1000), UnsafeArchiveError, "1000 bytes"),
        (launcher(payload("9.0.0"), "hello/other"), UnsafeArchiveError, "which is missing"),
        (launcher(payload("9.0.0", Member("../x"))), UnsafeArchiveError, "has the part"),
        (launcher(payload("9.0.0", link("up", "../.."))), UnsafeArchiveError, "leads to"),
        (launcher(payload("9.0.0", Member("x", kind=b"3"))), UnsafeArchiveError, "a character"),
        (launcher(b"no gzip"), UnsafeArchiveError, "no gzip"),
    ],
)
def test_A_what_a_launcher_carries_is_checked_like_an_archive(
    world: World, data: bytes, kind: type[OcmPkgError], match: str
) -> None:
    offer(world, data, "9.0.0")
    refused(world, kind, match)


@pytest.mark.parametrize(
    "data",
    [
        launcher(payload("9.0.0"), stub=elf(machine=183) + bytes(9)),
        launcher(payload("9.0.0"), stub=pe()),
        launcher(tgz(member("hello/hello", elf(machine=183)))),
    ],
)
def test_A_launcher_and_program_must_both_be_for_the_platform(world: World, data: bytes) -> None:
    offer(world, data, "9.0.0")
    refused(world, WrongBinaryError, "not for linux/amd64")


@pytest.mark.parametrize("answer", [b'{"type":{"Other/v1":["generic"]}}', b"{}", b"no json"])
def test_A_an_answer_that_the_program_does_not_give_is_refused(world: World, answer: bytes) -> None:
    offer(world, launcher(payload("9.0.0"), capabilities=answer), "9.0.0")
    refused(world, PluginProtocolError, "launcher says|answer to capabilities")


def test_A_bytes_that_are_not_the_signed_ones_are_never_opened(world: World) -> None:
    data = launcher(payload("9.0.0"))
    offer(world, data, "9.0.0")
    world.repository.blobs[digest_of(data)] = launcher(payload("8.0.0"))
    refused(world, DigestMismatchError, "expected|not what")
