from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import (
    AlreadyExistsError,
    DigestMismatchError,
    LocalStorageError,
    NoMatchingPlatformError,
    PluginProtocolError,
    PluginStartError,
    PluginTimeoutError,
    SignatureError,
    UntrustedError,
    UsageError,
    WrongBinaryError,
)
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.platform import Platform
from ocm_pkg.services.installed import installed
from tests.fakes.install_world import LINUX
from tests.fakes.launchers import launcher
from tests.fakes.plugins_to_install import (
    COMPONENT,
    descriptor,
    good_probe,
    offer,
    program,
    resource,
    signed,
)
from tests.fakes.tars import program as member
from tests.fakes.tars import tgz
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ocm_pkg.errors import OcmPkgError
    from tests.fakes.install_world import World


def no_platform(world: World) -> None:
    offer(world.repository, "9.0.0", Platform("darwin", "arm64"))
    made = world.repository.descriptors[COMPONENT, "9.0.0"]
    world.repository.add(signed(made), replace=True)


def unsigned(world: World) -> None:
    offer(world.repository, "9.0.0", LINUX)


def wrong_key(world: World) -> None:
    world.offer("9.0.0", key="b")


def changed_blob(world: World) -> None:
    world.offer("9.0.0")
    data = program("9.0.0")
    world.repository.lies[digest_of(data)] = data.replace(b"9.0.0", b"6.6.6")


def changed_descriptor(world: World) -> None:
    world.offer("9.0.0")
    good = world.repository.descriptors[COMPONENT, "9.0.0"]
    evil = descriptor("9.0.0", [resource(program("6.6.6"), LINUX)])
    evil = evil.model_copy(update={"signatures": good.signatures})
    world.repository.blobs[digest_of(program("6.6.6"))] = program("6.6.6")
    world.repository.add(evil, replace=True)


def no_digest(world: World) -> None:
    made = descriptor("9.0.0", [resource(program("9.0.0"), LINUX, digest=None)])
    world.repository.blobs[digest_of(program("9.0.0"))] = program("9.0.0")
    world.repository.add(signed(made), replace=True)


def excluded_digest(world: World) -> None:
    spec = {
        "hashAlgorithm": "NO-DIGEST",
        "normalisationAlgorithm": "EXCLUDE-FROM-SIGNATURE",
        "value": "NO-DIGEST",
    }
    made = descriptor("9.0.0", [resource(program("9.0.0"), LINUX, digest=spec)])
    world.repository.add(signed(made), replace=True)


def unsigned_shape(world: World) -> None:
    value = {"formatVersion": 1, "shape": "file"}
    labels = [{"name": "ocm-pkg.dev/shape", "value": value}]
    made = descriptor("9.0.0", [resource(program("9.0.0"), LINUX, labels=labels)])
    world.repository.add(signed(made), replace=True)


def other_architecture(world: World) -> None:
    header = bytearray(b"\x7fELF\x02\x01\x01" + bytes(57))
    header[16:20] = b"\x02\x00\xb7\x00"
    world.offer("9.0.0", data=bytes(header))


def no_program(world: World) -> None:
    world.offer("9.0.0", data=b"hello")


def empty_program(world: World) -> None:
    world.offer("9.0.0", data=b"")


BAD_INPUTS: list[tuple[Callable[[World], None], type[OcmPkgError]]] = [
    (no_platform, NoMatchingPlatformError),
    (unsigned, UntrustedError),
    (wrong_key, UntrustedError),
    (changed_blob, DigestMismatchError),
    (changed_descriptor, SignatureError),
    (no_digest, UntrustedError),
    (excluded_digest, UntrustedError),
    (unsigned_shape, UntrustedError),
    (other_architecture, WrongBinaryError),
    (no_program, WrongBinaryError),
    (empty_program, WrongBinaryError),
]


def refused(world: World, error: type[OcmPkgError], **arguments: Any) -> OcmPkgError:
    """Check that version 9.0.0 is refused, on a fresh place and over an installed version."""
    with pytest.raises(error):
        world.install("9.0.0", **arguments)
    assert not world.place.plugins.exists()
    assert not world.place.data.exists()
    world.install("1.0.0")
    before = snapshot(world.root)
    with pytest.raises(error) as caught:
        world.install("9.0.0", **arguments)
    assert snapshot(world.root) == before
    assert [one.state for one in installed(world.place, full=True)] == ["ok"]
    assert caught.value.hint or isinstance(caught.value, SignatureError)
    return caught.value


@pytest.mark.parametrize(("attack", "error"), BAD_INPUTS)
def test_what_is_not_right_is_refused_and_leaves_no_trace(
    world: World, attack: Callable[[World], None], error: type[OcmPkgError]
) -> None:
    attack(world)
    refused(world, error)


def test_an_unsigned_switch_does_not_help_a_bad_signature(world: World) -> None:
    wrong_key(world)
    refused(world, UntrustedError, order={"allow_unsigned": True})


def test_content_excluded_from_signatures_is_refused_by_its_own_words(world: World) -> None:
    excluded_digest(world)
    assert "no signature covers" in refused(world, UntrustedError).message


@pytest.mark.parametrize(
    "error",
    [
        PluginStartError("exit status 1", hint="see its log"),
        PluginTimeoutError("no answer", hint="raise the limit"),
        PluginProtocolError("garbage", hint="ask its author"),
    ],
)
def test_a_plugin_that_fails_when_tried_is_not_installed(world: World, error: OcmPkgError) -> None:
    def bad_probe(_program: Path) -> Any:
        raise error

    world.offer("9.0.0")
    with pytest.raises(type(error)):
        world.install("9.0.0", probe=bad_probe)
    assert not world.place.data.exists()
    world.install("1.0.0")
    before = snapshot(world.root)
    with pytest.raises(type(error)):
        world.install("9.0.0", probe=bad_probe)
    assert snapshot(world.root) == before


def test_a_program_that_changes_itself_when_tried_is_refused(world: World) -> None:
    def changing_probe(path: Path) -> Any:
        path.write_bytes(program("6.6.6"))
        return good_probe(path)

    with pytest.raises(DigestMismatchError, match="changed its own file"):
        world.install(probe=changing_probe)


def test_S16_the_bytes_that_were_hashed_are_installed_with_one_read(world: World) -> None:
    world.install()
    reads = [call for call in world.repository.calls if call.startswith("blob")]
    assert len(reads) == 1


@pytest.mark.parametrize("name", ["Hello", "a.b", "", "-x", "a/b", "..", "x" * 101])
def test_a_name_that_is_none_is_refused(world: World, name: str) -> None:
    with pytest.raises(UsageError):
        world.install(order={"name": name})
    assert not world.place.data.exists()


def make_file(path: Path) -> None:
    path.write_text("foreign")


def make_folder(path: Path) -> None:
    path.mkdir()


def make_link(path: Path) -> None:
    (path.parent.parent / "target").write_text("foreign")
    path.symlink_to(path.parent.parent / "target")


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [make_file, make_folder, make_link, make_pipe])
def test_I13_what_others_put_there_is_never_written_through(
    world: World, make: Callable[[Path], None]
) -> None:
    world.place.plugins.mkdir()
    make(world.link)
    before = snapshot(world.root)
    with pytest.raises(AlreadyExistsError):
        world.install()
    assert snapshot(world.root) == before


def test_I06_a_plugin_folder_that_is_a_file_is_refused(world: World) -> None:
    world.place.plugins.write_text("a file")
    before = snapshot(world.root)
    with pytest.raises(LocalStorageError, match="is no folder"):
        world.install()
    assert snapshot(world.root) == before


def labelled(world: World, value: dict[str, Any], data: bytes | None = None) -> None:
    data = program("9.0.0") if data is None else data
    labels = [
        {"name": "ocm-pkg.dev/shape", "value": {"formatVersion": 1, **value}, "signing": True}
    ]
    made = descriptor("9.0.0", [resource(data, LINUX, labels=labels)])
    world.repository.blobs[digest_of(data)] = data
    world.repository.add(signed(made), replace=True)


def test_a_signed_shape_is_taken(world: World) -> None:
    data = launcher(tgz(member("hello/hello", program("9.0.0"))))
    labelled(world, {"shape": "launcher"}, data)
    assert world.install("9.0.0").receipt.shape == "launcher"


def test_a_digest_that_does_not_cover_bytes_is_refused(world: World) -> None:
    spec = {
        "hashAlgorithm": "SHA-256",
        "normalisationAlgorithm": "ociArtifactDigest/v1",
        "value": digest_of(program("9.0.0")).hex,
    }
    made = descriptor("9.0.0", [resource(program("9.0.0"), LINUX, digest=spec)])
    world.repository.add(signed(made), replace=True)
    assert "does not cover the bytes" in refused(world, UntrustedError).message
