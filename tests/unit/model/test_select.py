"""Which resource of a component version is the one."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import (
    AmbiguousResourceError,
    NoMatchingPlatformError,
    ResourceNotFoundError,
)
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.select import platform_of, select_resource
from tests.fakes.components import descriptor, resource

AMD64 = Platform("linux", "amd64")


def on(os="linux", architecture="amd64", name="demo", version="1.0.0", **more):
    return resource(name, version, os=os, architecture=architecture, **more)


def test_the_resource_for_the_platform_is_chosen():
    wanted = on()
    component = descriptor(resources=[on(architecture="arm64"), wanted, on(os="windows")])
    assert select_resource(component, platform=AMD64) == wanted


@pytest.mark.parametrize(
    ("os", "architecture"),
    [("linux", "x86_64"), ("Linux", "AMD64"), ("linux", "x64"), ("LINUX", "X86-64")],
)
def test_D09_twin_documented_spellings_of_a_platform_are_understood(os, architecture):
    component = descriptor(resources=[on(os, architecture)])
    assert select_resource(component, platform=AMD64).extra_identity["os"] == os


@pytest.mark.parametrize(
    "identity",
    [
        {},
        {"os": "linux"},
        {"architecture": "amd64"},
        {"os": "linux", "arch": "amd64"},
        {"os": "hurd", "architecture": "amd64"},
        {"os": "linux", "architecture": "amd65"},
        {"os": "", "architecture": ""},
    ],
)
def test_D09_a_platform_that_is_not_named_fits_none(identity):
    component = descriptor(resources=[resource("demo", "1.0.0", **identity)])
    with pytest.raises(NoMatchingPlatformError) as caught:
        select_resource(component, platform=AMD64)
    assert caught.value.code == "E302"
    assert "name=demo" in caught.value.message


def test_the_platforms_on_offer_are_listed():
    component = descriptor(resources=[on(architecture="arm64"), on(os="macos")])
    with pytest.raises(NoMatchingPlatformError, match="darwin/amd64, linux/arm64"):
        select_resource(component, platform=AMD64)


def test_D10_two_resources_that_fit_equally_well_are_refused():
    component = descriptor(resources=[on(), on(architecture="x86_64")])
    with pytest.raises(AmbiguousResourceError) as caught:
        select_resource(component, platform=AMD64)
    assert caught.value.code == "E802"
    assert "architecture=x86_64" in caught.value.message


def test_D10_twin_a_name_or_an_identity_makes_the_choice():
    one, other = on(name="one"), on(name="other", flavour="small")
    component = descriptor(resources=[one, other])
    assert select_resource(component, platform=AMD64, name="one") == one
    assert select_resource(component, platform=AMD64, identity={"flavour": "small"}) == other
    with pytest.raises(AmbiguousResourceError):
        select_resource(component, platform=AMD64)


def test_the_version_counts_as_identity():
    component = descriptor(resources=[on(), on(version="2.0.0")])
    chosen = select_resource(component, platform=AMD64, identity={"version": "2.0.0"})
    assert chosen.version == "2.0.0"


def test_a_component_version_without_plugins_is_not_found():
    with pytest.raises(ResourceNotFoundError, match="no resource of type ocmPlugin"):
        select_resource(descriptor(), platform=AMD64)


def test_another_type_is_another_resource():
    component = descriptor(resources=[on()])
    with pytest.raises(ResourceNotFoundError):
        select_resource(component, platform=AMD64, type="executable")


def test_a_name_that_is_not_there_shows_the_ones_that_are():
    component = descriptor(resources=[on()])
    with pytest.raises(ResourceNotFoundError) as caught:
        select_resource(component, platform=AMD64, name="demmo")
    assert "name=demo" in str(caught.value.hint)


def test_long_lists_are_cut():
    many = [on(name=f"demo-{number}") for number in range(30)]
    with pytest.raises(AmbiguousResourceError, match="and 10 more"):
        select_resource(descriptor(resources=many), platform=AMD64)
    many = [resource(f"demo-{number}", "1.0.0") for number in range(30)]
    with pytest.raises(NoMatchingPlatformError, match="and 10 more"):
        select_resource(descriptor(resources=many), platform=AMD64)


def test_the_platform_of_an_identity():
    assert platform_of({"os": "macos", "architecture": "aarch64"}) == Platform("darwin", "arm64")
    assert platform_of({"os": "macos"}) is None
