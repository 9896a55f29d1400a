"""What the schema of component descriptors asks for, where readers that only warn go on."""

from __future__ import annotations

from typing import Any

import pytest

from ocm_pkg.errors import InvalidDocumentError
from tests.fakes.descriptors import component_json, descriptor, descriptor_json, parse
from tests.fakes.outcome import outcome

LISTS = ("repositoryContexts", "resources", "sources", "componentReferences")


def problem(*arguments: Any, **members: Any) -> str:
    """Return the message of the error that a document ends with."""
    error = outcome(*arguments, **members)
    assert isinstance(error, InvalidDocumentError)
    return error.message


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_is_missing_is_named(name: str) -> None:
    document = descriptor_json(component_json(**{name: ...}))
    assert f"component.{name} is missing" in problem(parse, document)


@pytest.mark.parametrize(
    "nested",
    [
        {"name": "n", "version": "1.0.0"},
        {"name": "example.com/n"},
        {"name": "example.com/n", "version": "1.0.0", "digest": "sha256:x"},
        {"name": "example.com/n", "version": "1.0.0", "resourceDigests": [{"name": "a"}]},
    ],
)
def test_a_nested_digest_that_breaks_the_schema_is_refused(nested: dict[str, Any]) -> None:
    assert "nestedDigests[0]" in problem(parse, descriptor_json(nestedDigests=[nested]))


@pytest.mark.parametrize("time", ["2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01"])
def test_a_time_that_is_in_no_calendar_is_refused(time: str) -> None:
    assert "creationTime" in problem(descriptor, creationTime=time)


@pytest.mark.parametrize("timestamp", ["now", {"time": "2026-01-01T00:00:00Z"}, {"value": 1}])
def test_a_timestamp_that_breaks_the_schema_is_refused(timestamp: Any) -> None:
    digest = {"hashAlgorithm": "SHA-256", "normalisationAlgorithm": "x", "value": "00"}
    spec = {"algorithm": "x", "mediaType": "x", "value": "x"}
    signature = {"name": "a", "digest": digest, "signature": spec, "timestamp": timestamp}
    assert "signatures[0].timestamp" in problem(parse, descriptor_json(signatures=[signature]))
