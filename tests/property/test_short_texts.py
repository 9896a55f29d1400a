from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.cli import limits
from ocm_pkg.cli.sizes import size_of
from ocm_pkg.errors import OcmPkgError
from ocm_pkg.model import identity
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.model.digest import Digest
from ocm_pkg.model.normalise import V2, V3, V4ALPHA1, normalise
from ocm_pkg.model.platform import Platform
from ocm_pkg.plugin.recording import read_session
from ocm_pkg.sdk.main import parse_arguments
from ocm_pkg.store.base import OCIDescriptor
from tests.fakes.descriptors import component_json, descriptor_json

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = settings(derandomize=True, deadline=None)
TEXT = st.text(max_size=30) | st.text(st.sampled_from(list("sha256512:/=,-.linuxarmd4GiB0 \0")))
MEMBERS = ["exchanges", "request", "response", "status", "body", "headers", "method", "path"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*MEMBERS, "mediaType", "digest", "size", "annotations", "platform"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=15,
)


PROVIDERS = st.dictionaries(st.sampled_from(["name", "labels", "x"]), VALUES).map(json.dumps)


@SETTINGS
@given(TEXT | st.from_regex(r"sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})", fullmatch=True))
def test_any_text_is_a_digest_or_an_error_of_ours(text: str) -> None:
    with suppress(OcmPkgError):
        assert str(Digest.parse(text)) == text


@SETTINGS
@given(TEXT)
def test_any_text_is_a_platform_or_an_error_of_ours(text: str) -> None:
    with suppress(OcmPkgError):
        found = Platform.parse(text)
        assert Platform.parse(str(found)) == found


@SETTINGS
@given(st.lists(TEXT, max_size=3))
def test_any_texts_are_an_identity_or_an_error_of_ours(texts: list[str]) -> None:
    with suppress(OcmPkgError):
        found = identity.parse(texts)
        assert identity.parse([f"{key}={value}" for key, value in found.items()]) == found


@SETTINGS
@given(TEXT | st.from_regex(r"[0-9]{1,16} ?[kMGT]?i?B?", fullmatch=True))
def test_any_text_is_a_size_or_a_limit_or_an_error_of_ours(text: str) -> None:
    with suppress(OcmPkgError):
        assert size_of(text) >= 0
    for name in (*limits.COUNTS, *limits.SIZES):
        with suppress(OcmPkgError):
            assert limits.parse([f"{name}={text}"])[name] > 0


@SETTINGS
@given(st.lists(st.sampled_from(["server", "--config", "-config={}", "-h", "--"]) | TEXT))
def test_any_arguments_are_a_command_of_a_plugin_or_an_error_of_ours(texts: list[str]) -> None:
    with suppress(OcmPkgError):
        assert parse_arguments(texts).name in {"capabilities", "server", "help"}


@SETTINGS
@given(VALUES)
def test_any_value_is_an_oci_descriptor_or_an_error_of_ours(value: Any) -> None:
    with suppress(OcmPkgError):
        found = OCIDescriptor.from_json(value, what="it")
        assert OCIDescriptor.from_json(found.to_json(), what="it") == found


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("session") / "session.json"


@SETTINGS
@given(value=VALUES.map(json.dumps).map(str.encode) | st.binary(max_size=60))
def test_any_file_is_a_recorded_session_or_an_error_of_ours(session: Path, value: bytes) -> None:
    session.write_bytes(value)
    with suppress(OcmPkgError):
        read_session(session)


@SETTINGS
@given(provider=st.text(min_size=1, max_size=30) | PROVIDERS, label=VALUES)
def test_both_schemas_of_a_descriptor_say_the_same(provider: str, label: Any) -> None:
    labels = [{"name": "a", "value": label, "signing": True}]
    value = descriptor_json(component_json(provider=provider, labels=labels))
    with suppress(OcmPkgError):
        built = ComponentDescriptor.from_json(value, name="it")
        written = json.loads(built.in_schema("v3alpha1").encode())
        again = ComponentDescriptor.from_json(written, name="it")
        for algorithm in (V2, V3, V4ALPHA1):
            assert normalise(again, algorithm) == normalise(built, algorithm)
