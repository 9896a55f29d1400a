"""Content that a store may take instead of reading it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocm_pkg.fs.blob import read_all
from ocm_pkg.fs.staged import StagedBlob
from ocm_pkg.model.digest import digest_of

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"content"


@pytest.fixture
def blob(tmp_path: Path) -> StagedBlob:
    path = tmp_path / "staged"
    path.write_bytes(DATA)
    path.chmod(0o600)
    return StagedBlob(path, "text/plain", len(DATA), digest_of(DATA))


def test_a_moved_file_has_its_new_name_and_mode_and_is_read_from_there(blob, tmp_path):
    target = tmp_path / "taken"
    assert blob.move(target, 0o644)
    assert target.stat().st_mode & 0o777 == 0o644
    assert not (tmp_path / "staged").exists()
    assert read_all(blob, 100, "content") == DATA


def test_what_was_removed_cannot_be_moved(blob, tmp_path):
    (tmp_path / "staged").unlink()
    assert not blob.move(tmp_path / "taken", 0o644)


def test_a_file_on_another_mount_stays_where_it_is(blob, tmp_path, monkeypatch):
    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    assert not blob.move(tmp_path / "taken", 0o644)
    assert (tmp_path / "staged").read_bytes() == DATA


def test_any_other_failure_to_move_is_an_error(blob, tmp_path, monkeypatch):
    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(OSError, match="No space"):
        blob.move(tmp_path / "taken", 0o644)
