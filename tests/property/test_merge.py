"""Parts give the same release however they were made, handed over, and ordered."""

from __future__ import annotations

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import ConfigError, ConflictError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.services.merge import merge
from tests.fakes.parts import CONFIG, FORMS, PLATFORMS, PROJECT, hand_over
from tests.fakes.trees import snapshot

SETTINGS = settings(derandomize=True, deadline=None, max_examples=12)


@SETTINGS
@given(
    st.lists(st.integers(0, 2), min_size=len(PLATFORMS), max_size=len(PLATFORMS)),
    st.lists(st.sampled_from(FORMS), min_size=3, max_size=3),
)
def test_the_result_depends_on_what_was_built_alone(machines, forms):
    with TemporaryDirectory() as name, patch("os.fsync"):
        root = Path(name)
        merge(
            PROJECT,
            config=CONFIG,
            folders=[hand_over(root / "all", PLATFORMS, "files")],
            out=root / "expected",
        )
        parts = [
            hand_over(
                root / f"m{machine}",
                [
                    platform
                    for platform, at in zip(PLATFORMS, machines, strict=True)
                    if at == machine
                ],
                forms[machine],
            )
            for machine in sorted(set(machines))
        ]
        for number, order in enumerate(itertools.permutations(parts)):
            merge(PROJECT, config=CONFIG, folders=order, out=root / f"out{number}")
            assert snapshot(root / f"out{number}") == snapshot(root / "expected")


@SETTINGS
@given(
    st.sampled_from(
        [
            {"version": "2.0.0"},
            {"commit": "def"},
            {"commit": None},
            {"config": digest_of(b"x")},
            {"lock": digest_of(b"x")},
            {"lock": None},
        ]
    ),
    st.permutations(PLATFORMS),
    st.integers(0, 2),
    st.sampled_from(FORMS),
)
def test_one_part_of_other_sources_is_refused_in_every_order(changed, order, other, form):
    with TemporaryDirectory() as name, patch("os.fsync"):
        root = Path(name)
        parts = [
            hand_over(root / f"m{index}", [text], form, **(changed if index == other else {}))
            for index, text in enumerate(order)
        ]
        said = set()
        for folders in itertools.permutations(parts):
            with pytest.raises(ConfigError) as caught:
                merge(PROJECT, config=CONFIG, folders=folders, out=root / "out")
            said.add(caught.value.message)
        assert len(said) == 1
        assert not (root / "out").exists()


@SETTINGS
@given(st.sampled_from(PLATFORMS), st.sampled_from(FORMS), st.sampled_from(FORMS))
def test_a_target_twice_is_refused_though_it_is_the_same(platform, one, other):
    with TemporaryDirectory() as name, patch("os.fsync"):
        root = Path(name)
        parts = [hand_over(root / "a", PLATFORMS, one), hand_over(root / "b", [platform], other)]
        with pytest.raises(ConflictError, match=platform):
            merge(PROJECT, config=CONFIG, folders=parts, out=root / "out")
        assert not (root / "out").exists()
