"""The parts of the registry store that decide without asking anybody."""

from __future__ import annotations

import json

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.exchange import Headers
from ocm_pkg.store.known import LIFETIME, MOST, Known
from ocm_pkg.store.manifests import Manifest
from ocm_pkg.store.referrers import fallback_tag, subject_of
from ocm_pkg.store.tagpages import next_link

ONE = digest_of(b"one")
SUBJECT = {"mediaType": media.OCI_MANIFEST, "digest": str(ONE), "size": 3}


def test_what_is_known_of_blobs_is_forgotten_after_a_while():
    now = [0.0]
    known = Known[int](lambda: now[0])
    known.put("a", ONE, 3)
    now[0] = LIFETIME
    assert known.get("a", ONE) == 3
    assert known.get("b", ONE) is None
    now[0] = LIFETIME + 1
    assert known.get("a", ONE) is None


def test_what_is_known_of_blobs_is_bounded():
    known = Known[int](lambda: 0.0)
    for number in range(MOST + 1):
        known.put(f"r{number}", ONE, number)
    assert known.get("r0", ONE) is None
    assert known.pop(f"r{MOST}", ONE) == MOST
    assert known.get(f"r{MOST}", ONE) is None
    known.clear()
    assert known.get("r1", ONE) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        (['</x>; rel="next"'], "/x"),
        (["</x>;rel=next"], "/x"),
        (["<>; rel=next"], ""),
        (['</p>; rel="prev"', '</n>; rel="next"'], "/n"),
        (['</p>; rel="prev", </n>; rel="next last"'], "/n"),
        (['</x>; rel="nextest"'], None),
        (['</x>; title="; rel=next"'], None),
        (["/x; rel=next"], None),
        (["</x"], None),
        (["</x>"], None),
        (["</x>, </y>; rel=next"], "/y"),
        (["," * 1000], None),
        (["</a>; rel=prev " * 1000], None),
    ],
)
def test_the_link_to_the_next_page(values, expected):
    assert next_link(Headers([("Link", value) for value in values])) == expected


def test_the_tag_of_the_fallback_is_made_of_the_digest():
    assert fallback_tag(ONE) == f"sha256-{ONE.hex}"
    sha512 = digest_of(b"one", "sha512")
    assert fallback_tag(sha512) == f"sha512-{sha512.hex[:64]}"


def manifest(**members):
    config = {"mediaType": "text/config", "digest": str(ONE), "size": 3}
    value = {"schemaVersion": 2, "config": config, "layers": [], **members}
    data = json.dumps(value).encode()
    return Manifest(OCIDescriptor(media.OCI_MANIFEST, digest_of(data), len(data)), data)


def test_a_manifest_with_a_subject_says_how_it_is_listed():
    found = manifest(subject=SUBJECT, annotations={"a": "b"})
    subject, entry = subject_of(found, "it")
    assert subject == ONE
    assert (entry.digest, entry.size) == (found.descriptor.digest, found.descriptor.size)
    assert entry.artifact_type == "text/config"
    assert entry.annotations == {"a": "b"}


@pytest.mark.parametrize("members", [{}, {"subject": None}, {"note": '"subject"'}])
def test_a_manifest_without_a_subject_is_not_listed(members):
    assert subject_of(manifest(**members), "it") is None


def test_a_subject_that_is_none_is_refused():
    with pytest.raises(InvalidDocumentError):
        subject_of(manifest(subject={"digest": "../x"}), "it")
