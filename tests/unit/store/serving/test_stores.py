"""Stores that can do little, or fail."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import LocalStorageError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.memory import MemoryStore
from tests.fakes.registry_calls import (
    CONFIG,
    NAME,
    Calls,
    body_of,
    code_of,
    index,
    manifest,
    value_of,
)

IMAGE = manifest()
DIGEST = digest_of(IMAGE)
REQUIRED = ("exists", "fetch", "push", "resolve", "tag", "tags")


class Plain:
    """What every ``OCIStore`` has, and nothing else."""

    def __init__(self):
        self._store = MemoryStore()

    def __getattr__(self, name):
        if name not in REQUIRED:
            raise AttributeError(name)
        return getattr(self._store, name)


@pytest.fixture
def calls(tmp_path):
    made = Calls(Plain(), tmp_path)
    made.push(CONFIG)
    return made


def test_a_plain_store_is_read_and_written(calls):
    for reference in (str(DIGEST), "v1"):
        assert calls.put(IMAGE, reference).status == 201
        assert body_of(calls.ask("GET", f"/v2/{NAME}/manifests/{reference}")) == IMAGE
    assert calls.put(index(IMAGE), "v2").status == 201
    assert value_of(calls.ask("GET", f"/v2/{NAME}/tags/list"))["tags"] == ["v1", "v2"]


def test_what_a_plain_store_cannot_do_is_said_so_that_clients_know_what_to_do(calls):
    calls.put(IMAGE, "v1")
    digest = digest_of(CONFIG)
    place = f"/v2/other/one/blobs/uploads/?mount={digest}&from={NAME}"
    assert calls.ask("POST", place).status == 202
    for method, target, status in (
        ("GET", "/v2/_catalog", 404),
        ("GET", f"/v2/{NAME}/referrers/{DIGEST}", 404),
        ("DELETE", f"/v2/{NAME}/manifests/v1", 405),
        ("DELETE", f"/v2/{NAME}/manifests/{DIGEST}", 405),
        ("DELETE", f"/v2/{NAME}/blobs/{digest}", 405),
    ):
        assert code_of(calls.ask(method, target)) == (status, "UNSUPPORTED")
    assert code_of(calls.ask("GET", "/v2/no/one/tags/list")) == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize(
    "error",
    [
        LocalStorageError("/secret/path: broken"),
        OSError(5, "broken", "/secret/path"),
        KeyError("x"),
    ],
)
def test_a_store_that_fails_is_no_secret_for_the_log_but_one_for_clients(calls, error, monkeypatch):
    def fails(*_arguments):
        raise error

    monkeypatch.setattr(calls.store._store, "exists", fails)
    answer = calls.ask("GET", f"/v2/{NAME}/blobs/{DIGEST}")
    assert code_of(answer) == (500, "UNKNOWN")
    assert b"secret" not in body_of(answer)
    assert len(calls.log) == 1
    assert "broken" in calls.log[0] or "KeyError" in calls.log[0]
