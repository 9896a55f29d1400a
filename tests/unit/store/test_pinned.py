"""A resource that names an image gets its digest, once."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import DigestMismatchError
from ocm_pkg.model.descriptor import Resource
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.pinned import pinned

FOUND, OTHER = digest_of(b"manifest"), digest_of(b"other")


def resource(reference="r.example/a:1.0", **members):
    access = {"type": "ociArtifact/v1", "imageReference": reference}
    plain = {"name": "image", "version": "1.0.0", "type": "ociImage", "relation": "external"}
    return Resource.model_validate({**plain, "access": access, **members})


def spec(digest, sort):
    return {"hashAlgorithm": "SHA-256", "normalisationAlgorithm": sort, "value": digest.hex}


def test_a_tag_is_pinned_and_the_digest_is_added():
    done = pinned(resource(), FOUND)
    assert done.access.image_reference == f"r.example/a:1.0@{FOUND}"
    assert done.digest.to_json() == spec(FOUND, "ociArtifactDigest/v1")
    assert pinned(done, FOUND) == done


@pytest.mark.parametrize("sort", ["ociArtifactDigest/v1", "genericBlobDigest/v1"])
def test_a_digest_that_is_there_is_checked_and_kept(sort):
    done = pinned(resource(digest=spec(FOUND, sort)), FOUND)
    assert done.digest.to_json() == spec(FOUND, sort)
    with pytest.raises(DigestMismatchError, match="image is not what the descriptor says"):
        pinned(resource(digest=spec(OTHER, sort)), FOUND)


def test_a_digest_that_excludes_the_content_stays():
    excluded = {
        "hashAlgorithm": "NO-DIGEST",
        "normalisationAlgorithm": "EXCLUDE-FROM-SIGNATURE",
        "value": "NO-DIGEST",
    }
    assert pinned(resource(digest=excluded), FOUND).digest.to_json() == excluded
