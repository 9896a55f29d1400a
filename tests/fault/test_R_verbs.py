"""Row R30: every status that passes, on every verb; and every verb's twin that does not pass."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import RegistryError
from ocm_pkg.fs.blob import BytesBlob, FileBlob, read_all
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.serving import Response
from tests.fakes.faults import lab
from tests.fakes.registrystore import REPOSITORY, manifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ocm_pkg.store.serving import Request
    from tests.fakes.faults import Lab

LARGE = hashlib.shake_256(b"large").digest(2 * 1024 * 1024)
PASSING = [408, 425, 429, 500, 502, 503, 504]
VERBS = ["HEAD", "GET", "POST", "PATCH", "PUT", "DELETE"]


@pytest.fixture
def room() -> Iterator[Lab]:
    with lab() as room:
        yield room


def everything(room: Lab, path: Path) -> None:
    """Use each verb: blobs with a digest and without, a manifest, a tag, and a deletion."""
    path.write_bytes(LARGE)
    known, unknown = BytesBlob(b"small"), FileBlob(path)
    for blob, data in ((known, b"small"), (unknown, LARGE)):
        pushed = room.store.push(REPOSITORY, blob, "text/plain")
        assert room.behind._blobs[REPOSITORY, digest_of(data)] == data
        assert read_all(room.store.fetch(REPOSITORY, pushed), len(LARGE), "it") == data
    top = manifest(room.store)
    room.store.tag(REPOSITORY, top, "1.0.0")
    assert room.behind.resolve(REPOSITORY, "1.0.0") == top
    assert room.store.delete(REPOSITORY, top.digest)
    assert room.behind.resolve(REPOSITORY, "1.0.0") is None


def test_R30_twin_every_verb_is_used(room: Lab, tmp_path: Path) -> None:
    everything(room, tmp_path / "large")
    assert set(room.methods()) == set(VERBS)


@pytest.mark.parametrize("status", PASSING)
@pytest.mark.parametrize("verb", VERBS)
def test_R30_what_passes_is_survived_on_every_verb(
    room: Lab, tmp_path: Path, verb: str, status: int
) -> None:
    failed = []

    def fail(_request: Request) -> Response:
        failed.append(verb)
        return Response.error(status, "UNAVAILABLE", "later")

    room.fault(verb, "/v2/", fail, times=2)
    everything(room, tmp_path / "large")
    # Once all of some content was hashed, it is sent by PUT.
    assert len(failed) == 2 or verb == "PATCH"


@pytest.mark.parametrize("status", PASSING)
@pytest.mark.parametrize("verb", VERBS)
def test_R30_what_does_not_pass_is_tried_three_times_or_less_on_every_verb(
    room: Lab, tmp_path: Path, verb: str, status: int
) -> None:
    top = manifest(room.behind)
    room.behind.push(REPOSITORY, BytesBlob(b"there"), "text/plain")
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    calls: dict[str, Any] = {
        "HEAD": lambda: room.store.push(REPOSITORY, BytesBlob(b"small"), "text/plain"),
        "GET": lambda: room.store.resolve(REPOSITORY, "1.0.0"),
        "POST": lambda: room.store.push(REPOSITORY, BytesBlob(b"small"), "text/plain"),
        "PATCH": lambda: room.store.push(REPOSITORY, FileBlob(path), "text/plain"),
        "PUT": lambda: room.store.push(REPOSITORY, BytesBlob(b"small"), "text/plain"),
        "DELETE": lambda: room.store.delete(REPOSITORY, top.digest),
    }
    for each in {verb, "PUT"} if verb == "PATCH" else {verb}:
        room.fault(each, "/v2/", Response.error(status, "UNAVAILABLE", "later"))
    with pytest.raises(RegistryError, match=f"{status} ") as caught:
        calls[verb]()
    assert caught.value.status == status
    tried = [one for one in room.methods() if one == verb]
    assert 1 <= len(tried) <= 3
