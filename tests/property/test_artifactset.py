from __future__ import annotations

import contextlib
import gzip
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.artifactset import manifest_of
from tests.fakes.components import artifact_set

settings.register_profile("derandomized", derandomize=True, deadline=None)
SETTINGS = settings.get_profile("derandomized")
CONFIG = b"{}"
PART = {"mediaType": "x/y", "digest": str(digest_of(CONFIG)), "size": len(CONFIG)}
MANIFEST = json.dumps({"schemaVersion": 2, "config": PART, "layers": []}).encode()
INDEX = {"manifests": [{"digest": str(digest_of(MANIFEST)), "size": len(MANIFEST)}]}
WHOLE = {
    "index.json": json.dumps(INDEX).encode(),
    **{f"blobs/sha256.{digest_of(one).hex}": one for one in (CONFIG, MANIFEST)},
}
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just(str(digest_of(MANIFEST))),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["manifests", "digest", "annotations", "software.ocm/main", "config"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@SETTINGS
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_an_artifact_set_or_an_error_of_ours(data, packed):
    with contextlib.suppress(OcmPkgError):
        manifest_of(BytesBlob(gzip.compress(data) if packed else data), "it")


@SETTINGS
@given(VALUES)
def test_any_index_leads_to_a_manifest_or_is_an_error_of_ours(value):
    files = {**WHOLE, "index.json": json.dumps(value).encode()}
    with contextlib.suppress(OcmPkgError):
        assert manifest_of(BytesBlob(artifact_set(files)), "it") == digest_of(MANIFEST)


@SETTINGS
@given(st.integers(0, 3000), st.binary(min_size=1, max_size=40))
def test_a_changed_set_is_about_the_same_manifest_or_an_error_of_ours(at, change):
    data = bytearray(gzip.decompress(artifact_set(WHOLE)))
    data[at : at + len(change)] = change
    with contextlib.suppress(OcmPkgError):
        assert manifest_of(BytesBlob(bytes(data)), "it") == digest_of(MANIFEST)
