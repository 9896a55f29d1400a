"""How content gets to a plugin: a file is told by its path, all else is written down first."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocm_pkg.contract.capabilities import Capabilities, Kind
from ocm_pkg.errors import DigestMismatchError
from ocm_pkg.fs.blob import BytesBlob, FileBlob
from ocm_pkg.fs.watched import Reading, watched
from ocm_pkg.model.digest import digest_of
from ocm_pkg.plugin.caller import Caller
from ocm_pkg.plugin.registry import ExternalPlugin

DIGEST, OTHER = digest_of(b"content"), digest_of(b"other")


class Instance:
    """A plugin that is only handed content."""

    plugin = ExternalPlugin("plug", Path("plug"), Capabilities.parse(b'{"capabilities":[]}'))

    def __init__(self, folder):
        self._folder = folder

    def content_folder(self):
        return self._folder


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "content"
    folder.mkdir()
    return folder


@pytest.fixture
def caller(folder):
    return Caller(Instance(folder), Kind.RESOURCE_REPOSITORY)


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"content")
    return file


def test_a_file_is_handed_over_by_its_path_also_when_it_is_watched(caller, file, folder):
    counts = []
    for blob in (
        FileBlob(file, "text/plain", digest=DIGEST),
        watched(FileBlob(file, "text/plain", digest=DIGEST), Reading(counts.append)),
    ):
        with caller.handed_over(blob, DIGEST) as location:
            assert location == {"type": "localFile", "value": str(file), "mediaType": "text/plain"}
            assert list(folder.iterdir()) == []
    assert sum(counts) == 7, "it was read to be verified"


def test_other_content_is_written_to_a_file_that_is_removed_afterwards(caller, folder, file):
    for blob in (BytesBlob(b"content"), FileBlob(file, offset=0, length=4)):
        with caller.handed_over(blob) as location:
            path = Path(location["value"])
            assert path.parent == folder
            assert b"content".startswith(path.read_bytes())
        assert list(folder.iterdir()) == []


def test_content_that_is_not_what_it_should_be_is_not_handed_over(caller, file):
    for blob, expected in (
        (FileBlob(file, digest=OTHER), None),
        (FileBlob(file), OTHER),
        (BytesBlob(b"content"), OTHER),
    ):
        with pytest.raises(DigestMismatchError), caller.handed_over(blob, expected):
            pytest.fail("it was handed over")
