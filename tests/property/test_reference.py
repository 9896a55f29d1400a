"""References: what is read can be written and read again; any text gives a value or our error."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.model.reference import ComponentRef, RepositorySpec
from tests.fakes.outcome import outcome

NEAR = st.lists(
    st.sampled_from(
        [
            *("./ctf", "ghcr.io", "localhost:5000", "http://", "oci::", "ctf::", "Mine/v1::"),
            *("//", "/", ":", "::", "example.com/a", "1.0.0", "{}", '{"a":"//"}', ".tar"),
            *("/component-descriptors/", "file://", "~", "[::1]", "A", "@", "..", "\\"),
        ]
    ),
    max_size=6,
).map("".join)


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.one_of(st.text(max_size=40), NEAR))
@example("Mine::{}//example.com/a")
def test_a_reference_that_is_read_can_be_written_and_read_again(text):
    ref = outcome(ComponentRef.parse, text)
    if isinstance(ref, OcmPkgError):
        assert ref.message.isprintable()
        return
    assert ComponentRef.parse(str(ref)) == ref


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.one_of(st.text(max_size=40), NEAR))
def test_a_repository_that_is_read_can_be_written_in_both_forms(text):
    spec = outcome(RepositorySpec.parse, text)
    if isinstance(spec, OcmPkgError):
        assert spec.exit_code == 2
        return
    assert RepositorySpec.parse(str(spec)) == spec
    assert RepositorySpec.from_spec(spec.to_spec()) == spec
