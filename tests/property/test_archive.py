from __future__ import annotations

import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.blob import read_all
from ocm_pkg.store import tarscan
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.archivefile import ArchiveFile
from ocm_pkg.store.ctfindex import Index
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, stored

settings.register_profile(
    "archives",
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SETTINGS = settings.get_profile("archives")


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    class Archives(dict):
        __repr__ = object.__repr__

    folder = tmp_path_factory.mktemp("archives")
    for name in ("ctf.tar", "ctf.tgz"):
        stored(ComponentRepository(ArchiveStore(folder / name, create=True)))
    return Archives({name: (folder / name).read_bytes() for name in ("ctf.tar", "ctf.tgz")})


@SETTINGS
@given(
    st.sampled_from(["ctf.tar", "ctf.tgz"]),
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), max_size=3),
    st.none() | st.integers(0, 20_000),
)
def test_a_changed_archive_is_read_as_it_was_or_is_an_error_of_ours(archives, name, changes, cut):
    data = bytearray(archives[name])
    for place, value in changes:
        data[place % len(data)] = value
    if cut is not None:
        del data[cut % len(data) :]
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        with contextlib.suppress(OcmPkgError):
            repository = ComponentRepository(ArchiveStore(path))
            got = repository.get(NAME, "1.0.0")
            blob = repository.blob(got, got.component.resources[0])
            assert read_all(blob, 100, "it") == b"content"
        with contextlib.suppress(OcmPkgError):
            stored(ComponentRepository(ArchiveStore(path)), version="2.0.0", content=b"two")
            assert ComponentRepository(ArchiveStore(path)).get(NAME, "2.0.0")


@SETTINGS
@given(
    st.lists(st.tuples(st.integers(0, 511), st.integers(0, 20), st.integers(0, 255)), max_size=2),
    st.none() | st.integers(0, 20_000),
)
def test_a_fast_listing_is_that_of_tarfile(archives, changes, cut):
    data = bytearray(archives["ctf.tar"])
    for place, block, value in changes:
        data[(512 * block + place) % len(data)] = value
        if place < 148 or place >= 156:
            header = data[512 * block : 512 * block + 512]
            total = sum(header) - sum(header[148:156]) + 8 * 32
            data[512 * block + 148 : 512 * block + 156] = b"%06o\0 " % total
    if cut is not None:
        del data[cut % len(data) :]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ctf.tar"
        path.write_bytes(data)
        with path.open("rb") as stream:
            fast = tarscan.plain_files(stream.fileno(), len(data), 100)
        if fast is None:
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tarscan, "plain_files", lambda *_given: None)
            patch.setattr(ArchiveFile, "_read_index", lambda _self: Index())
            slow = ArchiveFile(path).files
        assert fast == {name: (part.offset, part.size) for name, part in slow.items()}
