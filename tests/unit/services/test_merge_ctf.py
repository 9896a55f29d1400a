"""What a machine hands over as a CTF with its report is as good as its files."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import DigestMismatchError, FileMissingError
from ocm_pkg.services.merge import merge
from tests.fakes.parts import CONFIG, FORMS, PLATFORMS, PROJECT, hand_over
from tests.fakes.trees import names, snapshot


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _fd: None)


def run(folders, out, **keywords):
    return merge(PROJECT, config=CONFIG, folders=folders, out=out, **keywords)


@pytest.mark.parametrize("form", FORMS[1:])
def test_content_of_a_CTF_gets_the_names_that_the_build_gives(tmp_path, form):
    files = hand_over(tmp_path / "files", PLATFORMS, "files")
    run([files], tmp_path / "one")
    run([hand_over(tmp_path / "a", PLATFORMS, form)], tmp_path / "other")
    assert names(tmp_path / "other") == names(files)
    assert snapshot(tmp_path / "other") == snapshot(tmp_path / "one")


def test_a_file_beside_the_report_is_taken_before_the_CTF(tmp_path):
    folder = hand_over(tmp_path / "a", PLATFORMS, "ctf")
    (folder / "hello.linux-amd64").write_bytes(b"changed")
    with pytest.raises(DigestMismatchError, match=r"a/hello\.linux-amd64 is not what was built"):
        run([folder], tmp_path / "out")


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_CTF_that_was_changed_is_refused(tmp_path, dry_run):
    folder = hand_over(tmp_path / "a", PLATFORMS, "ctf")
    for blob in (folder / "ctf/blobs").iterdir():
        if blob.read_bytes() == b"linux/amd64":
            blob.write_bytes(b"linux/amd65")
    before = snapshot(tmp_path)
    with pytest.raises(DigestMismatchError) as caught:
        run([folder], tmp_path / "out", dry_run=dry_run)
    assert caught.value.exit_code == 4
    assert snapshot(tmp_path) == before


def test_content_that_the_CTF_lacks_is_named(tmp_path):
    folder = hand_over(tmp_path / "a", PLATFORMS, "ctf")
    for blob in (folder / "ctf/blobs").iterdir():
        if blob.read_bytes() == b"linux/arm64":
            blob.unlink()
    with pytest.raises(FileMissingError, match=r"hello\.linux-arm64 is in part\.json") as caught:
        run([folder], tmp_path / "out")
    assert "package --partial --to DIR/ctf" in str(caught.value.hint)
    assert not (tmp_path / "out").exists()
