from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import (
    AmbiguousResourceError,
    DigestMismatchError,
    FileMissingError,
    InvalidDocumentError,
    LocalStorageError,
    OcmPkgError,
    ResourceNotFoundError,
    UnreachableContentError,
    UsageError,
)
from ocm_pkg.model.digest import digest_of
from ocm_pkg.services.download import download
from tests.fakes.plugins_to_install import COMPONENT, LINUX_AMD64, descriptor, resource
from tests.fakes.repository import FakeRepository

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.services.download import Downloaded

DATA = b"some content"


@pytest.fixture
def repository() -> FakeRepository:
    return offering(resource(DATA, LINUX_AMD64))


def offering(*resources: dict[str, Any]) -> FakeRepository:
    repository = FakeRepository()
    repository.blobs[digest_of(DATA)] = DATA
    repository.add(descriptor("1.0.0", list(resources)))
    return repository


def get(repository: FakeRepository, output: Path, **identity: str) -> Downloaded:
    wanted = identity or {"name": "hello"}
    return download(COMPONENT, "1.0.0", wanted, repository=repository, output=output)


def test_the_content_is_written_with_a_plain_mode(
    repository: FakeRepository, tmp_path: Path
) -> None:
    done = get(repository, tmp_path / "file")
    assert done.path.read_bytes() == DATA
    assert oct(done.path.stat().st_mode)[-3:] == "644"
    assert done.to_json() == {
        "component": COMPONENT,
        "version": "1.0.0",
        "resource": {
            "name": "hello",
            "os": "linux",
            "architecture": "amd64",
            "version": "1.0.0",
        },
        "path": str(tmp_path / "file"),
        "digest": str(digest_of(DATA)),
        "size": len(DATA),
        "mediaType": "application/octet-stream",
    }


def test_in_a_folder_the_file_is_called_like_the_resource(
    repository: FakeRepository, tmp_path: Path
) -> None:
    assert get(repository, tmp_path).path == tmp_path / "hello"


def test_a_link_is_replaced_and_not_written_through(
    repository: FakeRepository, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "file").symlink_to("precious")
    get(repository, tmp_path / "file")
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "file").is_symlink()


def test_the_same_blob_under_a_bare_name_is_found_exactly(tmp_path: Path) -> None:
    repository = offering(
        resource(DATA, LINUX_AMD64), resource(DATA, LINUX_AMD64, extraIdentity={})
    )
    assert get(repository, tmp_path / "file", name="hello").resource.extra_identity == {}


def refused(
    repository: FakeRepository, tmp_path: Path, error: type[OcmPkgError], **identity: str
) -> OcmPkgError:
    (tmp_path / "file").write_text("before")
    with pytest.raises(error) as caught:
        get(repository, tmp_path / "file", **identity)
    assert (tmp_path / "file").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    return caught.value


def test_bytes_that_are_not_the_promised_ones_leave_no_file(
    repository: FakeRepository, tmp_path: Path
) -> None:
    repository.lies[digest_of(DATA)] = b"same length!"
    refused(repository, tmp_path, DigestMismatchError)


def test_content_swapped_together_with_its_access_is_noticed(tmp_path: Path) -> None:
    spec = resource(DATA, LINUX_AMD64)
    spec["access"]["localReference"] = str(digest_of(b"evil"))
    repository = offering(spec)
    repository.blobs[digest_of(b"evil")] = b"evil"
    refused(repository, tmp_path, DigestMismatchError)


def test_a_digest_of_another_algorithm_is_checked(tmp_path: Path) -> None:
    spec = resource(DATA, LINUX_AMD64)
    spec["digest"] |= {"hashAlgorithm": "SHA-512", "value": digest_of(DATA, "sha512").hex}
    assert get(offering(spec), tmp_path / "good").size == len(DATA)
    spec["digest"]["value"] = digest_of(b"", "sha512").hex
    other = tmp_path / "other"
    other.mkdir()
    refused(offering(spec), other, DigestMismatchError)


@pytest.mark.parametrize(
    ("access", "code"),
    [
        ({"type": "wget/v1", "url": "http://127.0.0.1:1/x"}, 5),
        ({"type": "wget/v1", "url": "file:///etc/passwd"}, 5),
        ({"type": "ociArtifact", "imageReference": "example.com/a:1"}, 5),
        ({"type": "localFile", "path": "/etc/passwd"}, 2),
        ({"type": "totallyUnknown/v7"}, 2),
    ],
)
def test_D11_an_access_that_is_not_local_is_refused(
    tmp_path: Path, access: dict[str, Any], code: int
) -> None:
    repository = offering(resource(DATA, LINUX_AMD64, access=access))
    kind = UnreachableContentError if code == 5 else InvalidDocumentError
    error = refused(repository, tmp_path, kind)
    assert (error.exit_code, bool(error.hint)) == (code, True)


@pytest.mark.parametrize("reference", ["../../x", "/etc/passwd", "", "md5:00", "sha256:zz"])
def test_D11_a_local_reference_that_is_a_path_is_refused(tmp_path: Path, reference: str) -> None:
    spec = resource(DATA, LINUX_AMD64)
    spec["access"]["localReference"] = reference
    error = refused(offering(spec), tmp_path, OcmPkgError)
    assert error.exit_code == 2


def test_an_identity_that_fits_none_or_several_is_refused(
    repository: FakeRepository, tmp_path: Path
) -> None:
    refused(repository, tmp_path, ResourceNotFoundError, name="other")
    two = offering(
        resource(DATA, LINUX_AMD64), resource(DATA, LINUX_AMD64, extraIdentity={"os": "darwin"})
    )
    (tmp_path / "file").unlink()
    refused(two, tmp_path, AmbiguousResourceError)


def test_a_folder_in_the_way_is_refused(repository: FakeRepository, tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        get(repository, tmp_path)


def test_a_folder_that_is_missing_is_an_error(repository: FakeRepository, tmp_path: Path) -> None:
    with pytest.raises((LocalStorageError, FileMissingError)):
        get(repository, tmp_path / "none/file")
