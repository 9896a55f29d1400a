"""Provenance: any bytes give a value or one of our errors; what is written is read."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.provenance import Provenance, SourceLocation

DIGESTS = st.binary(max_size=3).map(digest_of)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TOOLS = st.dictionaries(TEXTS, TEXTS, max_size=3)
VALUES = st.builds(
    Provenance,
    file=TEXTS,
    digest=DIGESTS,
    component=TEXTS,
    version=TEXTS,
    platform=st.sampled_from([Platform("linux", "amd64"), Platform("windows", "arm64")]),
    builder=TEXTS,
    shape=TEXTS,
    config=DIGESTS,
    location=st.builds(SourceLocation, st.none() | TEXTS, TEXTS),
    commit=st.none() | TEXTS,
    lock=st.none() | DIGESTS,
    tools=TOOLS.filter(lambda tools: not {"python-digest", "libpython-digest"} & tools.keys()),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@given(VALUES)
def test_what_is_written_is_read(value):
    assert Provenance.parse(value.encode(), name="x") == value


@given(VALUES, st.lists(st.integers(0, 50), min_size=1, max_size=8), JSON)
def test_a_statement_with_any_other_value_somewhere_is_read_or_refused(value, steps, other):
    statement = value.to_json()
    place = statement
    for step in steps[:-1]:
        items = list(place.values()) if isinstance(place, dict) else place
        inner = items[step % len(items)] if items else None
        if not isinstance(inner, dict | list) or not inner:
            break
        place = inner
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    place[keys[steps[-1] % len(keys)]] = other
    with contextlib.suppress(InvalidDocumentError):
        assert Provenance.parse(json.dumps(statement).encode(), name="x").encode()


@given(st.binary(max_size=60))
def test_bytes_that_are_no_statement_are_refused(data):
    with pytest.raises(InvalidDocumentError):
        Provenance.parse(data, name="x")
