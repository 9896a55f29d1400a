"""Digests: how they are written, and what is none."""

from __future__ import annotations

import hashlib

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import Digest, algorithm_of, digest_of, digest_of_chunks, new_hasher

HEX = hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize(("algorithm", "name"), [("sha256", "SHA-256"), ("sha512", "SHA-512")])
def test_a_digest_is_read_as_it_is_written(algorithm, name):
    digest = digest_of(b"abc", algorithm)
    assert Digest.parse(str(digest)) == digest
    assert (digest.ocm_algorithm, algorithm_of(name)) == (name, algorithm)
    assert algorithm_of(name.lower()) == algorithm
    assert digest.raw == hashlib.new(algorithm, b"abc").digest()


def test_chunks_have_the_digest_of_the_whole():
    assert digest_of_chunks([b"a", b"", b"bc"]) == digest_of(b"abc")
    hasher = new_hasher()
    hasher.update(memoryview(b"abc"))
    assert hasher.hexdigest() == HEX


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEX,
        "sha256:",
        "sha256:../../x",
        f"sha256:{HEX.upper()}",
        f"SHA256:{HEX}",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0",
        f"sha256:{HEX}\n",
        f"sha256:{HEX[:-1]}\n",
        f"sha256::{HEX[:-1]}",
        f"md5:{hashlib.md5(b'', usedforsecurity=False).hexdigest()}",
        f"sha512:{HEX}",
        "sha256:" + "٣" * 64,
    ],
)
def test_R09_what_is_no_digest_is_refused(text):
    with pytest.raises(InvalidDocumentError) as caught:
        Digest.parse(text)
    assert caught.value.exit_code == 2
    assert caught.value.message.isprintable()


def test_R09_twin_a_digest_is_accepted():
    assert str(Digest.parse(f"sha256:{HEX}")) == f"sha256:{HEX}"


def test_S18_digests_are_equal_only_by_algorithm_and_whole_value():
    digest = Digest("sha256", HEX)
    assert digest == Digest.parse(f"sha256:{HEX}")
    assert hash(digest) == hash(Digest.parse(f"sha256:{HEX}"))
    assert digest != digest_of(b"abd")
    assert digest != digest_of(b"abc", "sha512")
    assert digest != f"sha256:{HEX}"


@pytest.mark.parametrize("name", ["SHA-1", "MD5", "", "NO-DIGEST", "sha256"])
def test_S04_weak_and_unknown_algorithms_are_refused(name):
    with pytest.raises(InvalidDocumentError):
        algorithm_of(name)
