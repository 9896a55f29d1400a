"""Accesses: the types that are understood, and the unknown ones that are kept."""

from __future__ import annotations

from typing import Any

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.digest import Digest
from ocm_pkg.model.document import read_document
from tests.fakes.descriptors import HEX

DIGEST = Digest("sha256", HEX)


def access(**members: Any) -> AccessSpec:
    return read_document(AccessSpec, members, what="access")


@pytest.mark.parametrize("name", ["localBlob", "localBlob/v1", "LocalBlob", "LocalBlob/v1"])
def test_every_spelling_of_a_local_blob_is_understood(name: str) -> None:
    found = access(
        type=name, localReference=str(DIGEST), mediaType="text/plain", referenceName="a:1"
    )
    assert found.is_local_blob
    assert not found.is_oci_artifact
    assert not found.is_none
    assert found.local_reference == DIGEST
    assert found.media_type == "text/plain"
    assert found.reference_name == "a:1"


@pytest.mark.parametrize(
    "name",
    ["ociArtifact", "ociArtifact/v1", "ociRegistry", "ociImage", "ociImage/v1", "OCIImage/v1"],
)
def test_every_spelling_of_an_oci_artifact_is_understood(name: str) -> None:
    found = access(type=name, imageReference="example.com/a:1")
    assert found.is_oci_artifact
    assert found.image_reference == "example.com/a:1"


@pytest.mark.parametrize("name", ["none", "None"])
def test_no_content_is_understood(name: str) -> None:
    assert access(type=name).is_none


@pytest.mark.parametrize(
    "name", ["localBlob/v2", "localblob", "none/v1", "totallyUnknown/v7", "ociArtifact/v2"]
)
def test_other_types_and_versions_are_unknown_and_kept(name: str) -> None:
    found = access(type=name, deep={"a": [1, None]}, other="x")
    assert [found.is_local_blob, found.is_oci_artifact, found.is_none] == [False] * 3
    assert found.to_json() == {"type": name, "deep": {"a": [1, None]}, "other": "x"}


@pytest.mark.parametrize(
    "reference",
    ["../../x", "/etc/passwd", "sha256:../../etc/passwd", "sha256:zz", "",
     "md5:d41d8cd98f00b204e9800998ecf8427e",
     "sha256:" + HEX.upper(), "sha512:" + HEX, f"sha256:{HEX}\n", 5, None],
)  # fmt: skip
def test_D11_a_local_reference_that_is_no_digest_is_refused_when_it_is_used(
    reference: object,
) -> None:
    found = access(type="localBlob", localReference=reference)
    with pytest.raises(InvalidDocumentError):
        _ = found.local_reference


def test_what_an_access_lacks_is_said() -> None:
    found = access(type="ociArtifact", mediaType=5)
    assert found.media_type is None
    with pytest.raises(InvalidDocumentError, match="no imageReference"):
        _ = found.image_reference


@pytest.mark.parametrize("value", [{}, {"type": ""}, {"type": 5}, {"type": None}])
def test_an_access_without_a_type_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocumentError, match="type"):
        read_document(AccessSpec, value, what="access")


def test_a_local_blob_is_written_as_every_reader_understands_it() -> None:
    written = {"type": "localBlob/v1", "localReference": str(DIGEST), "mediaType": "text/plain"}
    assert AccessSpec.local_blob(DIGEST, "text/plain").to_json() == written
    named = AccessSpec.local_blob(DIGEST, "text/plain", "demo/image:1").to_json()
    assert named == {**written, "referenceName": "demo/image:1"}
