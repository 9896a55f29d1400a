"""Documents of our own: any bytes give a value or one of our errors."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.model.binary import platforms_of
from ocm_pkg.model.part import Part
from ocm_pkg.model.project import parse_project, parse_pyproject
from ocm_pkg.model.receipt import Receipt
from ocm_pkg.model.yamltext import dump
from tests.fakes.outcome import outcome

KEYS = ["formatVersion", "component", "version", "provider", "build", "targets", "platform"]
KEYS += [
    "builder",
    "entry",
    "path",
    "run",
    "from",
    "name",
    "require",
    "size-mb",
    "assets",
    "labels",
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from(["1.0.0", "linux/amd64", "e.com/ab", "a.py", "pyinstaller", "git", ""]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)
WHOLE = {
    "formatVersion": 1,
    "component": "e.com/ab",
    "version": "1.0.0",
    "provider": "p",
    "build": {"entry": "a.py"},
    "targets": ["linux/amd64"],
}


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5))
def test_a_project_file_with_anything_in_it_gives_a_project_or_our_error(changes):
    text = dump({**WHOLE, **changes})
    project = outcome(parse_project, text, name="ocm-pkg.yaml")
    if isinstance(project, OcmPkgError):
        assert str(project.at).startswith("ocm-pkg.yaml:")
        return
    assert project.targets


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_our_error(data):
    values = [
        outcome(parse_project, data, name="x"),
        outcome(parse_pyproject, data, name="x"),
        outcome(Part.parse, data, name="x"),
        outcome(Receipt.parse, data, "x"),
    ]
    for value in values:
        assert not isinstance(value, OcmPkgError) or value.exit_code == 2


@settings(derandomize=True, deadline=None, max_examples=300)
@given(VALUES, st.sampled_from(["part", "receipt"]))
def test_any_json_is_a_document_or_our_error(value, kind):
    data = json.dumps(value).encode()
    parse = Part.parse if kind == "part" else Receipt.parse
    read = outcome(parse, data, name="x")
    assert not isinstance(read, OcmPkgError) or read.code == "E230"


@settings(derandomize=True, deadline=None, max_examples=500)
@given(
    st.sampled_from([b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b""]),
    st.binary(max_size=200),
)
def test_any_header_has_platforms_or_none(magic, rest):
    assert isinstance(platforms_of(magic + rest), tuple)
