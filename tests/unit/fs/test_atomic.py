from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading

import pytest

from ocm_pkg.errors import LocalStorageError, NoSpaceError
from ocm_pkg.fs import atomic
from ocm_pkg.fs.atomic import (
    TEMPORARY_PREFIX,
    FileLock,
    FolderLock,
    PendingFile,
    as_storage_error,
    clean_leftovers,
    commit_folder,
    make_folder,
    remove_tree,
    replace_link,
    staged_folder,
    write_file,
)
from tests.fakes.trees import names, snapshot

STEPS = ["atomic.create", "atomic.write", "atomic.sync", "atomic.rename", "atomic.sync-folder"]


def mode_of(path):
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "file"
    write_file(path, b"one")
    write_file(path, lambda stream: stream.write(b"two"), 0o600)
    assert path.read_bytes() == b"two"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_I18_modes_are_exact_whatever_the_umask_is(tmp_path, umask):
    old = os.umask(umask)
    try:
        write_file(tmp_path / "program", b"x", 0o755)
        write_file(tmp_path / "secret", b"x", 0o600)
        make_folder(tmp_path / "a" / "b", 0o750)
        with staged_folder(tmp_path, 0o711) as staged:
            commit_folder(staged, tmp_path / "c")
        with FileLock(tmp_path / "lock", 0):
            assert mode_of(tmp_path / "lock") == 0o600
    finally:
        os.umask(old)
    modes = {path.name: mode_of(path) for path in tmp_path.iterdir()}
    assert modes == {"program": 0o755, "secret": 0o600, "a": 0o750, "c": 0o711}
    assert mode_of(tmp_path / "a" / "b") == 0o750


def test_I12_content_is_synced_before_the_rename_and_the_folder_after_it(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, atomic.Path.replace

    def record_fsync(fd):
        events.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "content")
        fsync(fd)

    def record_replace(path, target):
        events.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(atomic.Path, "replace", record_replace)
    write_file(tmp_path / "file", b"x")
    assert events == ["content", "rename", "folder"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_I04_I05_a_failing_disk_leaves_the_old_file_and_nothing_else(tmp_path, step, number):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    before = snapshot(tmp_path)

    def fail(name):
        if name == step:
            raise OSError(number, "x", str(path))

    with pytest.raises(LocalStorageError) as caught:
        write_file(path, b"new", fail_point=fail)
    assert str(path) in caught.value.message
    if number in {errno.ENOSPC, errno.EDQUOT}:
        assert isinstance(caught.value, NoSpaceError)
        assert "no space" in caught.value.message
        assert "KiB free" in caught.value.message
    if step != "atomic.sync-folder":
        assert snapshot(tmp_path) == before
    else:
        assert path.read_bytes() == b"new"
        assert names(tmp_path) == ["file"]


def test_an_error_of_the_writer_passes_through_and_leaves_nothing(tmp_path):
    def fail(stream):
        stream.write(b"half")
        raise KeyError("why")

    with pytest.raises(KeyError):
        write_file(tmp_path / "file", fail)
    assert names(tmp_path) == []


def test_every_step_is_announced(tmp_path):
    steps = []
    write_file(tmp_path / "file", b"x", fail_point=steps.append)
    assert steps == STEPS


def test_I13_a_link_at_the_target_is_replaced_and_never_written_through(tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    target = tmp_path / "target"
    target.symlink_to(outside)
    write_file(target, b"new")
    assert outside.read_bytes() == b"secret"
    assert not target.is_symlink()
    target.unlink()
    os.mkfifo(target)
    write_file(target, b"new")
    assert target.read_bytes() == b"new"


def test_I13_a_folder_at_the_target_is_refused(tmp_path):
    (tmp_path / "target").mkdir()
    before = snapshot(tmp_path)
    with pytest.raises(LocalStorageError, match="target"):
        write_file(tmp_path / "target", b"new")
    with pytest.raises(LocalStorageError):
        replace_link(tmp_path / "target", tmp_path)
    assert snapshot(tmp_path) == before


def test_a_missing_folder_is_a_clear_error(tmp_path):
    with pytest.raises(LocalStorageError, match=r"nowhere.*No such file"):
        write_file(tmp_path / "nowhere" / "file", b"x")


def test_a_pending_file_keeps_what_is_there_if_asked(tmp_path):
    (tmp_path / "there").write_bytes(b"old")
    with PendingFile(tmp_path) as pending:
        pending.stream.write(b"new")
        assert not pending.commit(tmp_path / "there", replace=False)
    with PendingFile(tmp_path) as pending:
        pending.stream.write(b"new")
        assert pending.commit(tmp_path / "new", replace=False)
    with pytest.raises(LocalStorageError):
        pending.commit(tmp_path / "again")
    assert (tmp_path / "there").read_bytes() == b"old"
    assert (tmp_path / "new").read_bytes() == b"new"
    assert names(tmp_path) == ["new", "there"]


def test_a_staged_folder_is_removed_unless_it_is_committed(tmp_path):
    with contextlib.suppress(RuntimeError), staged_folder(tmp_path) as staged:
        (staged / "file").write_text("x")
        (staged / "shut").mkdir()
        (staged / "shut" / "in").mkdir()
        (staged / "shut").chmod(0)
        raise RuntimeError
    assert names(tmp_path) == []
    with staged_folder(tmp_path) as staged:
        (staged / "sub").mkdir()
        (staged / "sub" / "file").write_text("x")
        (staged / "link").symlink_to("nowhere")
        commit_folder(staged, tmp_path / "final")
    assert names(tmp_path) == ["final"]
    assert (tmp_path / "final" / "sub" / "file").read_text() == "x"


def test_a_folder_is_not_committed_over_one_with_content(tmp_path):
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "old").touch()
    before = snapshot(tmp_path)
    with staged_folder(tmp_path) as staged, pytest.raises(LocalStorageError, match="final"):
        commit_folder(staged, tmp_path / "final")
    assert snapshot(tmp_path) == before


def test_a_link_is_replaced_by_one_rename(tmp_path):
    link = tmp_path / "link"
    replace_link(link, tmp_path / "one")
    replace_link(link, tmp_path / "two")
    assert str(link.readlink()) == str(tmp_path / "two")
    assert names(tmp_path) == ["link"]

    def fail(step):
        raise OSError(errno.EIO, step)

    with pytest.raises(LocalStorageError):
        replace_link(link, tmp_path / "three", fail_point=fail)
    assert str(link.readlink()) == str(tmp_path / "two")
    assert names(tmp_path) == ["link"]


def test_leftovers_of_the_dead_are_removed_and_those_of_the_living_are_not(tmp_path):
    (tmp_path / f"{TEMPORARY_PREFIX}1.aa").write_text("dead")
    dead_folder = tmp_path / f"{TEMPORARY_PREFIX}2.bb"
    dead_folder.mkdir()
    (dead_folder / "x").touch()
    (tmp_path / f"{TEMPORARY_PREFIX}4194304999.cc").symlink_to("nowhere")
    (tmp_path / f"{TEMPORARY_PREFIX}{os.getpid()}.dd").symlink_to("nowhere")
    (tmp_path / "foreign.tmp").touch()
    with PendingFile(tmp_path) as pending, staged_folder(tmp_path) as staged:
        assert clean_leftovers(tmp_path) == 3
        assert staged.is_dir()
        pending.commit(tmp_path / "kept")
    assert names(tmp_path) == [f"{TEMPORARY_PREFIX}{os.getpid()}.dd", "foreign.tmp", "kept"]


def test_a_missing_folder_has_no_leftovers(tmp_path):
    assert clean_leftovers(tmp_path / "nowhere") == 0


def test_removing_a_tree_follows_no_link(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(tmp_path / "outside")
    remove_tree(tree)
    remove_tree(tmp_path / "nowhere")
    assert not tree.exists()
    assert (tmp_path / "outside" / "file").exists()


def test_a_folder_cannot_be_made_where_a_file_is(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(LocalStorageError, match="file"):
            make_folder(path)
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")


@pytest.mark.parametrize("kind", [FileLock, FolderLock])
def test_I11_a_lock_excludes_and_names_its_holder(tmp_path, kind):
    path = tmp_path if kind is FolderLock else tmp_path / "lock"
    with kind(path, 0):
        with pytest.raises(LocalStorageError) as caught, kind(path, 0.01):
            pass
        assert str(path) in caught.value.message
        assert f"process {os.getpid()}" in caught.value.message
    with kind(path, 0):
        pass
    assert names(tmp_path) == []


def test_I11_the_lock_file_of_a_dead_process_is_taken_over_at_once(tmp_path):
    (tmp_path / "lock").write_text("1\n")
    with FileLock(tmp_path / "lock", 0):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    assert names(tmp_path) == []


def test_a_lock_file_that_is_a_link_is_never_written_through(tmp_path):
    (tmp_path / "precious").write_text("data")
    (tmp_path / "lock").symlink_to("precious")
    with pytest.raises(LocalStorageError), FileLock(tmp_path / "lock", 0):
        pass
    assert (tmp_path / "precious").read_text() == "data"
    (tmp_path / "lock").unlink()
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(LocalStorageError, match="no regular file"), FileLock(tmp_path / "lock", 0):
        pass


def test_threads_wait_for_each_other(tmp_path):
    inside, seen = [], []

    def work():
        for _ in range(20):
            with FileLock(tmp_path / "lock", 30):
                inside.append(1)
                seen.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 80
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_its_own_error(tmp_path, number):
    error = as_storage_error(OSError(number, "x", str(tmp_path / "file")), "writing it")
    assert isinstance(error, NoSpaceError)
    assert error.hint
    error = as_storage_error(OSError(number, "x"), "writing it")
    assert "free)" not in error.message


def test_other_refusals_say_what_and_why():
    error = as_storage_error(PermissionError(errno.EACCES, "x", "/p"), "writing /p")
    assert error.message == "writing /p: Permission denied"
    assert "permission" in error.hint
    assert as_storage_error(OSError("odd"), "it").message == "it: odd"
