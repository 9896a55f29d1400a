"""Which wheels fit a platform, and what conditions see there."""

from __future__ import annotations

import pytest

from ocm_pkg.builders.assembletags import assembles, marker_environment, wheel_platforms
from ocm_pkg.model.platform import Platform

ARM, AMD = Platform("linux", "arm64"), Platform("linux", "amd64")
MAC, OLD_MAC = Platform("darwin", "arm64"), Platform("darwin", "amd64")


@pytest.mark.parametrize("platform", [ARM, AMD, MAC, OLD_MAC], ids=str)
def test_linux_and_darwin_can_be_assembled(platform):
    assert assembles(platform)


@pytest.mark.parametrize(
    "platform",
    [Platform("windows", "amd64"), Platform("linux", "s390x"), Platform("freebsd", "amd64")],
    ids=str,
)
def test_what_has_no_interpreter_in_wheels_cannot(platform):
    assert not assembles(platform)


def test_tags_for_linux_go_up_to_the_glibc_that_is_allowed_oldest_first():
    assert wheel_platforms(ARM, "2.19") == (
        "manylinux_2_17_aarch64",
        "manylinux2014_aarch64",
        "manylinux_2_18_aarch64",
        "manylinux_2_19_aarch64",
    )
    amd = wheel_platforms(AMD, "2.12.1")
    assert amd[:2] == ("manylinux_2_5_x86_64", "manylinux1_x86_64")
    assert amd[-2:] == ("manylinux_2_12_x86_64", "manylinux2010_x86_64")


@pytest.mark.parametrize("glibc", [None, "2.40", "3.0"])
def test_without_a_limit_of_the_project_newer_ones_fit(glibc):
    tags = wheel_platforms(AMD, glibc)
    assert tags[-1] == "manylinux_2_40_x86_64"
    assert "manylinux2014_x86_64" in tags


def test_a_glibc_older_than_all_wheels_fits_none():
    assert wheel_platforms(ARM, "2.16") == ()


def test_darwin_has_one_tag_which_pip_widens():
    assert wheel_platforms(MAC, None) == ("macosx_12_0_arm64",)
    assert wheel_platforms(OLD_MAC, "2.17") == ("macosx_12_0_x86_64",)


@pytest.mark.parametrize(
    ("platform", "system", "machine"),
    [
        (ARM, "Linux", "aarch64"),
        (AMD, "Linux", "x86_64"),
        (MAC, "Darwin", "arm64"),
        (OLD_MAC, "Darwin", "x86_64"),
    ],
    ids=str,
)
def test_conditions_see_the_target(platform, system, machine):
    seen = marker_environment(platform, "3.11.17")
    assert (seen["platform_system"], seen["platform_machine"]) == (system, machine)
    assert seen["sys_platform"] == platform.os
    assert (seen["python_version"], seen["python_full_version"]) == ("3.11", "3.11.17")
