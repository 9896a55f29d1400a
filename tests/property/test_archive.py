from __future__ import annotations

import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.blob import read_all
from ocm_pkg.store.archive import ArchiveStore
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
    folder = tmp_path_factory.mktemp("archives")
    for name in ("ctf.tar", "ctf.tgz"):
        stored(ComponentRepository(ArchiveStore(folder / name, create=True)))
    return {name: (folder / name).read_bytes() for name in ("ctf.tar", "ctf.tgz")}


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
