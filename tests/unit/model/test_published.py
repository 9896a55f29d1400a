from __future__ import annotations

import pytest

from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.published import (
    Moving,
    Published,
    PublishedBlob,
    comparable,
    elements_of,
    keeps_signatures,
    label_of,
    same_content,
    undigested,
)
from tests.fakes.plugins_to_install import LINUX_AMD64, descriptor, resource, signed


def made(**members):
    return descriptor("1.0.0", [{**resource(b"one", LINUX_AMD64), **members}])


def test_what_is_printed_has_the_promised_members():
    blob = PublishedBlob(digest_of(b"one"), 3, "exists")
    one = Published("e.com/x", "1.0.0", digest_of(b"it"), "./ctf", (blob,))
    assert one.to_json() == {
        "component": "e.com/x",
        "version": "1.0.0",
        "digest": str(digest_of(b"it")),
        "repository": "./ctf",
        "blobs": [{"digest": str(digest_of(b"one")), "size": 3, "state": "exists"}],
    }


def test_nobody_has_to_hear_how_content_moves():
    moving = Moving()
    with moving.progress.moving("hello", 3) as moved:
        moved(3)
    moving.report(PublishedBlob(digest_of(b"one"), 3, "written"))


def test_signatures_count_for_nothing_in_content_and_are_kept():
    one = made()
    assert same_content(one, signed(one))
    assert keeps_signatures(signed(one), one)
    assert not keeps_signatures(one, signed(one))


def test_an_element_is_called_by_its_name_and_platform():
    (element,) = elements_of(made())
    assert label_of(element) == "hello amd64 linux"


@pytest.mark.parametrize("reference", ["sha256:" + "a" * 64, "only its store knows"])
def test_local_content_without_a_digest_is_known_by_its_reference(reference):
    access = {"type": "localBlob/v1", "localReference": reference, "mediaType": "text/plain"}
    one, other = comparable(made(digest=None, access=access), made(digest=None, access=access))
    access = one["component"]["resources"][0].get("access", {})
    assert access.get("localReference") == (reference if ":" in reference else None)
    assert one == other


def test_what_has_no_digest_is_named_unless_it_has_no_content():
    bare = made(digest=None)
    assert undigested(made()) == ()
    assert undigested(bare) == bare.component.resources
    assert undigested(made(digest=None, access={"type": "none"})) == ()
