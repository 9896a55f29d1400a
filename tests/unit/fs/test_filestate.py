from __future__ import annotations

import hashlib
import io
import os
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import DigestMismatchError, UnsafeArchiveError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.fs.contentstore import keep_content
from ocm_pkg.fs.filestate import record, record_link, state_of
from ocm_pkg.fs.receive import receive
from ocm_pkg.model.digest import digest_of
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.receipt import InstalledFile

DATA = b"content"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make(tmp_path / "content")


def make(path: Path, data: bytes = DATA, name: str = "hello") -> Path:
    path.mkdir()
    (path / name).write_bytes(data)
    (path / name).chmod(0o755)
    return path


def recorded(folder: Path, name: str = "hello") -> InstalledFile:
    return record(folder, name, hashlib.sha256(DATA).hexdigest())


def touch(folder: Path) -> None:
    os.utime(folder / "hello", (1, 1))


def rewrite(folder: Path) -> None:
    (folder / "hello").write_bytes(b"Content")


def extend(folder: Path) -> None:
    (folder / "hello").write_bytes(DATA + b"!")


def forbid(folder: Path) -> None:
    (folder / "hello").chmod(0o644)


def add(folder: Path) -> None:
    (folder / "more").write_bytes(b"")


def link(folder: Path) -> None:
    (folder / "hello").rename(folder.parent / "elsewhere")
    (folder / "hello").symlink_to(folder.parent / "elsewhere")


def unlink(folder: Path) -> None:
    (folder / "hello").unlink()


def flatten(folder: Path) -> None:
    unlink(folder)
    folder.rmdir()
    folder.write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (touch, "ok"),
        (rewrite, "changed"),
        (extend, "changed"),
        (forbid, "changed"),
        (add, "changed"),
        (link, "changed"),
        (unlink, "missing"),
        (flatten, "missing"),
    ],
)
@pytest.mark.parametrize("full", [True, False])
def test_the_state_tells_what_happened_to_a_file(
    folder: Path, change: Callable[[Path], None], state: str, *, full: bool
) -> None:
    file = recorded(folder)
    assert state_of(folder, (file,), full=full) == "ok"
    change(folder)
    assert state_of(folder, (file,), full=full) == state


def test_content_is_kept_once_and_read_only(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "store/sha256-x"
    file = recorded(folder)
    assert keep_content(folder, target, (file,)) == (target, (file,))
    before = snapshot(tmp_path)
    again = make(tmp_path / "again")
    assert keep_content(again, target, (recorded(again),))[1][0].inode == file.inode
    (again / "hello").unlink()
    again.rmdir()
    assert snapshot(tmp_path) == before
    assert oct(target.stat().st_mode)[-3:] == "555"


def test_content_under_another_name_is_used_as_it_is(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "store/sha256-x"
    keep_content(folder, target, (recorded(folder),))
    other = make(tmp_path / "other", name="world")
    assert keep_content(other, target, (recorded(other, "world"),))[1][0].path == "hello"


@pytest.mark.parametrize("damage", [rewrite, extend, forbid, add, unlink])
def test_damaged_content_is_repaired(
    folder: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    target = tmp_path / "store/sha256-x"
    keep_content(folder, target, (recorded(folder),))
    target.chmod(0o755)
    damage(target)
    fresh = make(tmp_path / "fresh")
    file = recorded(fresh)
    keep_content(fresh, target, (file,))
    assert state_of(target, (file,), full=True) == "ok"


def unpacked(folder: Path) -> tuple[InstalledFile, ...]:
    """A folder with a program, a library, and links to a file and to a folder."""
    (folder / "hello/lib").mkdir(parents=True)
    files = ("hello/hello", "hello/lib/x.so")
    for path in files:
        (folder / path).write_bytes(DATA)
    links = {"hello/x.so": "lib/x.so", "hello/alias": "lib"}
    for path, target in links.items():
        (folder / path).symlink_to(target)
    sha256 = hashlib.sha256(DATA).hexdigest()
    return (
        *(record(folder, path, sha256) for path in files),
        *(record_link(folder, path, target) for path, target in links.items()),
    )


def relink(target: Path) -> None:
    (target / "hello/x.so").unlink()
    (target / "hello/x.so").symlink_to("hello")


def harden(target: Path) -> None:
    (target / "hello/alias").unlink()
    (target / "hello/alias").mkdir()


def bury(target: Path) -> None:
    (target / "hello/lib/x.so").unlink()
    (target / "hello/lib").rmdir()
    (target / "hello/lib").symlink_to("/tmp")  # noqa: S108 - nothing is written there


def litter(target: Path) -> None:
    (target / "hello/new").mkdir()
    (target / "hello/new/file").touch()


@pytest.mark.parametrize("damage", [relink, harden, bury, litter])
def test_a_damaged_folder_is_noticed_and_repaired(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    target = tmp_path / "store/sha256-x"
    _, files = keep_content(tmp_path / "one", target, unpacked(tmp_path / "one"))
    whole = snapshot(target)
    assert state_of(target, files, full=True) == "ok"
    damage(target)
    assert state_of(target, files) != "ok"
    keep_content(tmp_path / "two", target, unpacked(tmp_path / "two"))
    assert snapshot(target) == whole
    same = unpacked(tmp_path / "three")
    assert keep_content(tmp_path / "three", target, same)[1][0].inode != same[0].inode


def test_what_is_received_is_hashed_in_every_algorithm() -> None:
    out = io.BytesIO()
    digests = receive(BytesBlob(DATA), out, what="it", algorithms=("sha256", "sha512"))
    assert out.getvalue() == DATA
    assert digests == {name: digest_of(DATA, name) for name in ("sha256", "sha512")}


class Liar(BytesBlob):
    """Says that it has no size, or another digest."""

    size = None  # type: ignore[assignment]

    @property
    def digest(self) -> Digest:
        return digest_of(b"other")


def test_more_than_allowed_is_refused_whatever_the_blob_says_of_its_size() -> None:
    for blob in (BytesBlob(DATA), Liar(DATA)):
        with pytest.raises(UnsafeArchiveError, match="it is longer than the 6 bytes"):
            receive(blob, io.BytesIO(), what="it", limit=6)


def test_other_bytes_than_promised_are_refused() -> None:
    with pytest.raises(DigestMismatchError):
        receive(Liar(DATA), io.BytesIO(), what="it")
