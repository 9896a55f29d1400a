from __future__ import annotations

import io
import os
import socket
import tarfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import LocalStorageError, OcmPkgError, UsageError
from ocm_pkg.fs.tree import TreeSelection, copy_stable, gzipped, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = {"b.txt": "bee\n", "a.txt": "ay\n", "sub/c.log": "sea\n", "sub/deep/d.txt": "dee\n"}


def make_tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def packed(root: Path, **selection: object) -> bytes:
    out = io.BytesIO()
    write_tree(root, TreeSelection(**selection), out)  # type: ignore[arg-type]
    return out.getvalue()


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getnames()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree", FILES)


def test_members_are_sorted_and_anonymous(tree: Path) -> None:
    (tree / "a.txt").chmod(0o700)
    with tarfile.open(fileobj=io.BytesIO(packed(tree))) as archive:
        members = archive.getmembers()
        contents = {m.name: archive.extractfile(m).read().decode() for m in members if m.isfile()}
    assert [m.name for m in members] == [
        "a.txt",
        "b.txt",
        "sub",
        "sub/c.log",
        "sub/deep",
        "sub/deep/d.txt",
    ]
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", 0)}
    assert [oct(m.mode) for m in members[:3]] == ["0o755", "0o644", "0o755"]
    assert contents == FILES


def test_a_long_name_and_an_empty_file_survive(tmp_path: Path) -> None:
    name = "x" * 120 + "/" + "ü" * 100
    make_tree(tmp_path, {name: "long", "empty": ""})
    assert names(packed(tmp_path)) == ["empty", "x" * 120, name]


def test_the_end_is_a_whole_record(tree: Path) -> None:
    assert len(packed(tree)) % tarfile.RECORDSIZE == 0


def test_a_prefix_is_a_folder_around_all(tree: Path) -> None:
    assert names(packed(tree, prefix="tree"))[:2] == ["tree", "tree/a.txt"]


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (("*.log",), ["a.txt", "b.txt", "sub", "sub/c.log", "sub/deep", "sub/deep/d.txt"]),
        (("**/*.log",), ["a.txt", "b.txt", "sub", "sub/deep", "sub/deep/d.txt"]),
        (("sub",), ["a.txt", "b.txt"]),
        (("sub/*",), ["a.txt", "b.txt", "sub"]),
        (("[a-b].txt", "sub/deep"), ["sub", "sub/c.log"]),
        (("[^a].txt", "sub/deep"), ["a.txt", "sub", "sub/c.log"]),
        (("?.txt", r"s\ub"), []),
    ],
)
def test_what_is_excluded_is_left_out(
    tree: Path, exclude: tuple[str, ...], left: list[str]
) -> None:
    assert names(packed(tree, exclude=exclude)) == left


def test_with_include_only_matches_and_their_folders_are_packed(tree: Path) -> None:
    assert names(packed(tree, include=("sub/*.log", "a.txt"))) == ["a.txt", "sub", "sub/c.log"]


@pytest.mark.parametrize("pattern", ["[", "[z-a]", "a\\"])
def test_what_is_no_pattern_is_refused(tree: Path, pattern: str) -> None:
    with pytest.raises(OcmPkgError, match="is not a"):
        packed(tree, exclude=(pattern,))


def test_links_inside_are_kept_as_they_are(tree: Path) -> None:
    (tree / "sub/up").symlink_to("../a.txt")
    with tarfile.open(fileobj=io.BytesIO(packed(tree))) as archive:
        member = archive.getmember("sub/up")
    assert (member.issym(), member.linkname) == (True, "../a.txt")


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive.getmembers()}


def followed(tree: Path) -> bytes:
    out = io.BytesIO()
    write_tree(tree, TreeSelection(follow=tree.parent), out)
    return out.getvalue()


def test_links_that_are_followed_give_what_they_lead_to(tree: Path) -> None:
    (tree.parent / "beside").mkdir()
    (tree.parent / "beside/c.txt").write_text("see")
    (tree / "file").symlink_to("a.txt")
    (tree / "folder").symlink_to("../beside")
    found = members(followed(tree))
    assert found["file"].isreg()
    assert found["file"].size == (tree / "a.txt").stat().st_size
    assert found["folder"].isdir()
    assert found["folder/c.txt"].size == 3


def test_A23_a_link_that_is_followed_may_not_leave_the_working_folder(tree: Path) -> None:
    outside = tree.parent.parent / f"{tree.parent.name}-outside"
    outside.mkdir()
    (tree / "link").symlink_to(outside)
    with pytest.raises(UsageError, match="leads out of the working folder"):
        followed(tree)


@pytest.mark.parametrize("target", [".", "..", "sub"])
def test_A23_a_link_that_is_followed_may_not_lead_in_a_circle(tree: Path, target: str) -> None:
    (tree / "sub/again").symlink_to(Path("..", target))
    with pytest.raises(UsageError, match="leads in a circle"):
        followed(tree)


def link_outside(tree: Path) -> None:
    (tree / "link").symlink_to("../secret")


def link_absolute(tree: Path) -> None:
    (tree / "link").symlink_to(tree / "a.txt")


def link_by_detour(tree: Path) -> None:
    (tree / "link").symlink_to("../tree/a.txt")


def link_through_link(tree: Path) -> None:
    (tree / "out").symlink_to("..")
    (tree / "link").symlink_to("out/secret")


def link_to_nothing(tree: Path) -> None:
    (tree / "link").symlink_to("nothing")


def link_in_circle(tree: Path) -> None:
    (tree / "link").symlink_to("link")


def pipe(tree: Path) -> None:
    os.mkfifo(tree / "pipe")


def unix_socket(tree: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "s"))


def bad_name(tree: Path) -> None:
    (tree / os.fsdecode(b"n\xff")).write_text("x")


@pytest.mark.parametrize(
    "attack",
    [
        link_outside,
        link_absolute,
        link_by_detour,
        link_through_link,
        link_to_nothing,
        link_in_circle,
        pipe,
        unix_socket,
        bad_name,
    ],
)
def test_A23_what_is_no_plain_content_of_the_tree_is_refused(
    tree: Path, attack: Callable[[Path], None]
) -> None:
    (tree.parent / "secret").write_text("secret")
    packed(tree)
    attack(tree)
    before = sorted(tree.parent.rglob("*"))
    with pytest.raises(UsageError) as caught:
        packed(tree)
    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)
    assert sorted(tree.parent.rglob("*")) == before


def test_A23_a_pipe_that_is_excluded_does_no_harm(tree: Path) -> None:
    pipe(tree)
    assert "pipe" not in names(packed(tree, exclude=("pipe",)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_A23_an_unreadable_file_is_refused(tree: Path) -> None:
    (tree / "a.txt").chmod(0)
    for folder in (tree, tree.parent, tree.parent.parent, tree.parent.parent.parent):
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(LocalStorageError, match="Permission denied"):
            packed(tree)
    finally:
        os.seteuid(0)


def test_A23_a_file_that_grows_while_it_is_read_is_refused(tree: Path) -> None:
    path = tree / "a.txt"

    def grow(_data: object) -> None:
        with path.open("a") as stream:
            stream.write("more")

    with pytest.raises(LocalStorageError, match="changed while it was read"):
        copy_stable(path, grow, path.stat())


def test_A23_a_file_that_shrinks_or_is_replaced_is_refused(tree: Path) -> None:
    path = tree / "a.txt"
    info = path.stat()
    path.write_text("")
    with pytest.raises(LocalStorageError, match="changed while it was read"):
        copy_stable(path, lambda _data: None, info)


class Meddling(io.BytesIO):
    """A stream that lets somebody change the folder while its end is written."""

    def __init__(self, change: Callable[[], object]) -> None:
        super().__init__()
        self.change = change

    def write(self, data: Any) -> int:
        if b"dee\n" in bytes(data):
            self.change()
        return super().write(data)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda tree: (tree / "a.txt").write_text("AY\n"), "a.txt"),
        (lambda tree: (tree / "a.txt").unlink(), "a.txt"),
        (lambda tree: (tree / "late.txt").write_text("late\n"), "late.txt"),
        (lambda tree: (tree / "late").mkdir(), "late"),
        (lambda tree: (tree / "b.txt").chmod(0o755), "b.txt"),
        (lambda tree: (tree / "b.txt").rename(tree / "c.txt"), "b.txt"),
    ],
    ids=["written", "removed", "added", "folder", "executable", "renamed"],
)
def test_A23_a_folder_that_changes_while_it_is_packed_is_refused(
    tree: Path, change: Callable[[Path], object], path: str
) -> None:
    with pytest.raises(LocalStorageError, match="changed while it was read") as caught:
        write_tree(tree, TreeSelection(), Meddling(lambda: change(tree)))
    assert str(tree / path) in caught.value.message
    assert "try again" in str(caught.value.hint)


def test_A23_twin_what_is_excluded_may_change_meanwhile(tree: Path) -> None:
    out = Meddling(lambda: (tree / "a.txt").write_text("AY\n"))
    write_tree(tree, TreeSelection(exclude=("a.txt",)), out)
    assert names(out.getvalue())[0] == "b.txt"


def test_A23_a_pipe_that_takes_the_place_of_a_file_does_not_hang(tree: Path) -> None:
    path = tree / "a.txt"
    info = path.stat()
    path.unlink()
    os.mkfifo(path)
    failed: list[OcmPkgError] = []

    def read() -> None:
        with pytest.raises(OcmPkgError) as caught:
            copy_stable(path, lambda _data: None, info)
        failed.append(caught.value)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(5)
    assert failed


def test_D16_a_sparse_terabyte_is_refused_without_reading(tree: Path) -> None:
    with (tree / "huge").open("wb") as stream:
        stream.truncate(1024**4)
    with pytest.raises(UsageError, match="more than"):
        packed(tree)


def test_A24_times_modes_links_and_creation_order_do_not_matter(tmp_path: Path) -> None:
    first = make_tree(tmp_path / "one", FILES)
    old = os.umask(0o077)
    try:
        second = make_tree(tmp_path / "two", dict(reversed(FILES.items())))
    finally:
        os.umask(old)
    os.utime(second / "a.txt", (1, 1))
    (second / "b.txt").unlink()
    (tmp_path / "elsewhere").write_text(FILES["b.txt"])
    os.link(tmp_path / "elsewhere", second / "b.txt")
    assert packed(first) == packed(second)


def test_A24_another_byte_is_another_tar(tmp_path: Path) -> None:
    first = make_tree(tmp_path / "one", FILES)
    second = make_tree(tmp_path / "two", {**FILES, "a.txt": "AY\n"})
    assert packed(first) != packed(second)


def test_A24_gzip_has_no_name_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def compressed() -> bytes:
        out = io.BytesIO()
        with gzipped(out) as stream:
            stream.write(b"hello")
        return out.getvalue()

    first = compressed()
    monkeypatch.setattr("time.time", lambda: 12345.0)
    assert compressed() == first
    assert first[3:8] == bytes(5)
