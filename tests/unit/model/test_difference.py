from __future__ import annotations

from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.model.difference import differences
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.published import same_content
from tests.fakes.plugins_to_install import LINUX_AMD64, descriptor, resource, signed


def made(text=b"one", **component):
    value = descriptor("1.0.0", [resource(text, LINUX_AMD64)]).to_json()
    value["component"] |= component
    return ComponentDescriptor.from_json(value, name="test")


def edited(change, *arguments):
    value = made(*arguments).to_json()
    change(value["component"])
    return ComponentDescriptor.from_json(value, name="test")


def test_the_same_content_has_no_difference():
    assert differences(made(), made()) == ()


def test_another_resource_is_named_by_its_identity_and_digest():
    [line] = differences(made(b"one"), made(b"two"))
    assert line == (
        "resources[name=hello,architecture=amd64,os=linux].digest.value: "
        f"{digest_of(b'one').hex} -> {digest_of(b'two').hex}"
    )


def test_labels_providers_and_members_that_one_side_lacks_are_named():
    label = {"name": "team", "value": {"a": 1}}
    assert differences(made(), made(labels=[label])) == ("labels[name=team]: (none) -> (there)",)
    changed = made(labels=[{"name": "team", "value": {"a": 2}}], provider="other")
    lines = differences(made(labels=[label], provider="one"), changed)
    assert set(lines) == {"labels[name=team].value.a: 1 -> 2", "provider: one -> other"}


def test_more_and_fewer_resources_are_named():
    two = edited(lambda value: value["resources"].append(resource(b"x", LINUX_AMD64, name="more")))
    [line] = differences(made(), two)
    assert line == "resources[name=more,architecture=amd64,os=linux]: (none) -> (there)"
    [line] = differences(two, made())
    assert line.endswith(": (there) -> (none)")


def test_signatures_are_compared_too():
    [line] = differences(signed(made()), made())
    assert line.startswith("signatures[name=")
    assert line.endswith(": (there) -> (none)")


def test_another_order_is_a_difference():
    two = [resource(b"x", LINUX_AMD64, name=name) for name in ("aa", "bb")]
    one = edited(lambda value: value.update(resources=two))
    other = edited(lambda value: value.update(resources=two[::-1]))
    assert differences(one, other) == ("resources: in another order",)


def test_only_the_first_few_lines_and_characters_are_shown():
    many = made(labels=[{"name": f"l{number}", "value": "x" * 5000} for number in range(50)])
    lines = differences(made(), many)
    assert len(lines) == 9
    assert lines[-1] == "... and 42 more"
    [line] = differences(made(provider="a" * 5000), made(provider="b" * 5000))
    assert len(line) < 300


def with_access(access, **changes):
    def change(value):
        value["resources"][0] |= {"access": access, **changes}

    return edited(change)


def test_where_content_with_a_digest_is_does_not_matter_if_one_of_the_two_has_it():
    image = {"type": "ociArtifact", "imageReference": "example.com/a:1"}
    local = AccessSpec.local_blob(digest_of(b"one"), "text/plain").to_json()
    assert same_content(with_access(local), with_access(image))
    assert same_content(with_access(image), with_access(local))
    other = {"type": "ociArtifact", "imageReference": "example.com/b:1"}
    assert not same_content(with_access(image), with_access(other))
    assert "access.imageReference" in differences(with_access(image), with_access(other))[0]


def test_local_content_without_a_digest_is_known_by_its_reference():
    def source(text):
        access = AccessSpec.local_blob(digest_of(text), "text/plain").to_json()
        return made(sources=[{"name": "code", "version": "1.0.0", "type": "git", "access": access}])

    assert same_content(source(b"one"), source(b"one"))
    assert not same_content(source(b"one"), source(b"two"))
    assert "sources[name=code].access" in differences(source(b"one"), source(b"two"))[0]


def test_an_entry_without_a_name_is_known_by_its_place():
    one = made(labels=[{"name": "a", "value": {"labels": ["x", "y"]}}])
    other = made(labels=[{"name": "a", "value": {"labels": ["x", "z"]}}])
    assert differences(one, other) == ("labels[name=a].value.labels[1]: y -> z",)
