"""Any text from a registry or a user gives a value or an error of ours, and quickly."""

from __future__ import annotations

import json
import time

from hypothesis import given
from hypothesis import strategies as st

from ocm_pkg.errors import InvalidDocumentError, InvalidReferenceError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.exchange import Headers
from ocm_pkg.store.imagename import split_reference
from ocm_pkg.store.manifests import Manifest, checked_type
from ocm_pkg.store.referrers import subject_of
from ocm_pkg.store.tagpages import next_link
from tests.fakes.outcome import outcome

LINKS = st.text(alphabet='<>;,="/ ?&relnxtRELNXT', max_size=60)
NAMES = st.text(alphabet="abAB09.:/@-_[]%\n ", max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["mediaType", "manifests", "layers", "config", "subject", "x"]),
            inner,
            max_size=4,
        )
    ),
)


@given(st.lists(LINKS, max_size=3))
def test_any_link_is_one_or_none(values):
    found = next_link(Headers([("Link", value) for value in values]))
    assert found is None or any(found in value for value in values)


def test_a_long_link_is_read_in_linear_time():
    started = time.monotonic()
    for part in (" ", ";", "<a>;", "<a>; x", '"', "<a>; x= ", ","):
        next_link(Headers([("Link", "<a>;x" + part * 30_000)]))
    assert time.monotonic() - started < 2


@given(st.text(max_size=30) | NAMES)
def test_any_text_is_an_image_or_refused(text):
    result = outcome(split_reference, text)
    if isinstance(result, InvalidReferenceError):
        assert result.message.isprintable()
    else:
        scheme, host, name, _tag, _digest = result
        assert scheme in {"http", "https"}
        assert host
        assert name in text


@given(JSON, st.sampled_from(["", "text/plain", "application/vnd.oci.image.index.v1+json"]))
def test_any_document_is_a_manifest_of_one_type_or_refused(value, stated):
    data = json.dumps(value).encode()
    assert isinstance(outcome(checked_type, data, stated, "it"), (str, InvalidDocumentError))
    manifest = Manifest(OCIDescriptor(media.OCI_MANIFEST, digest_of(data), len(data)), data)
    found = outcome(subject_of, manifest, "it")
    assert found is None or isinstance(found, (tuple, InvalidDocumentError))
