"""References to repositories and component versions."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import InvalidDocumentError, InvalidReferenceError
from ocm_pkg.model import types
from ocm_pkg.model.reference import (
    ComponentRef,
    RepositorySpec,
    component_name_ok,
    element_name_ok,
)

HELLO = "example.com/plugins/hello"


@pytest.mark.parametrize(
    ("text", "kind", "location"),
    [
        ("./ctf", "ctf", "./ctf"),
        ("../ctf/", "ctf", "../ctf"),
        ("/", "ctf", "/"),
        ("/srv/ctf", "ctf", "/srv/ctf"),
        ("~/ctf", "ctf", "~/ctf"),
        (".", "ctf", "."),
        ("ctf", "ctf", "ctf"),
        ("out/ctf", "ctf", "out/ctf"),
        ("ctf::example.com", "ctf", "example.com"),
        ("CommonTransportFormat/v1::./x", "ctf", "./x"),
        ("archive.tar", "ctf", "archive.tar"),
        ("archive.v1.tgz", "ctf", "archive.v1.tgz"),
        ("archive.tar.gz", "ctf", "archive.tar.gz"),
        ("file:///srv/ctf", "ctf", "/srv/ctf"),
        ("C:\\ctf", "ctf", "C:\\ctf"),
        ("ghcr.io/acme/ocm", "oci", "ghcr.io/acme/ocm"),
        ("ghcr.io", "oci", "ghcr.io"),
        ("localhost/x", "oci", "localhost/x"),
        ("localhost:5000", "oci", "localhost:5000"),
        ("[::1]:5000/a", "oci", "[::1]:5000/a"),
        ("http://127.0.0.1:5000/base/", "oci", "http://127.0.0.1:5000/base"),
        ("https://ghcr.io/a", "oci", "https://ghcr.io/a"),
        ("oci://ghcr.io/a", "oci", "ghcr.io/a"),
        ("oci::registry/a", "oci", "registry/a"),
        ("OCIRegistry::registry", "oci", "registry"),
        ("OCIRepository/v1::http://registry", "oci", "http://registry"),
        ("My.Type/v1::anything at all", "My.Type/v1", "anything at all"),
    ],
)
def test_a_repository_is_read_and_written(text, kind, location):
    spec = RepositorySpec.parse(text)
    assert (spec.kind, spec.location) == (kind, location)
    assert RepositorySpec.parse(str(spec)) == spec
    assert RepositorySpec.from_spec(spec.to_spec()) == spec
    assert hash(RepositorySpec.parse(text)) == hash(spec)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("./ctf", {"type": "CommonTransportFormat/v1", "filePath": "./ctf"}),
        ("ghcr.io", {"type": "OCIRepository/v1", "baseUrl": "ghcr.io"}),
        (
            "http://127.0.0.1:5000/a/b",
            {"type": "OCIRepository/v1", "baseUrl": "http://127.0.0.1:5000", "subPath": "a/b"},
        ),
        ('Mine::{"url":"x"}', {"type": "Mine", "url": "x"}),
        ("Mine::x", {"type": "Mine", "location": "x"}),
    ],
)
def test_a_repository_has_the_form_of_the_configuration(text, spec):
    assert RepositorySpec.parse(text).to_spec() == spec


def test_members_of_a_specification_are_kept():
    spec = {"type": "CTF", "filePath": "x", "accessMode": "readonly"}
    assert RepositorySpec.from_spec(spec).to_spec() == {
        "type": "CommonTransportFormat/v1",
        "filePath": "x",
        "accessMode": "readonly",
    }
    assert RepositorySpec.parse(str(RepositorySpec.from_spec(spec))).extra == {
        "accessMode": "readonly"
    }


def test_a_json_location_may_hold_slashes():
    ref = ComponentRef.parse('Mine/v1::{"url":"http://host//x"}//example.com/a:1.0.0')
    assert ref.repository is not None
    assert ref.repository.to_spec() == {"type": "Mine/v1", "url": "http://host//x"}
    assert (ref.component, ref.version) == ("example.com/a", "1.0.0")
    assert ComponentRef.parse(str(ref)) == ref


@pytest.mark.parametrize("alias", types.repository_types("oci"))
def test_every_spelling_of_a_registry_means_the_same(alias):
    assert RepositorySpec.from_spec({"type": alias, "baseUrl": "ghcr.io"}).kind == "oci"
    assert RepositorySpec(alias, "ghcr.io") == RepositorySpec("oci", "ghcr.io")


def test_an_unknown_type_has_only_itself_as_spelling():
    assert types.repository_types("Mine/v1") == ("Mine/v1",)
    assert types.repository_type("Mine/v1") == "Mine/v1"


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"type": 1},
        {"type": "ctf"},
        {"type": "oci", "baseUrl": ""},
        {"type": "ctf", "filePath": 1},
    ],
)
def test_an_incomplete_specification_is_refused(spec):
    with pytest.raises(InvalidDocumentError):
        RepositorySpec.from_spec(spec)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "file://",
        "file://file://x",
        "oci::",
        "ctf::",
        "http://",
        "ftp://host/x",
        "http://u:p@host/x",
        "host.io:99999/x",
        "host.io:0/x",
        "host.io/../x",
        "host.io//x",
        "host.io/Upper",
        "host.io/x?y",
        "host.io/x#y",
        "-host.io/x",
        "./a\x1bb",
        "./a\x00",
        "./a\u202eb",
        "./" + "x" * 5000,
        "Mine::{not json",
        "oci::{}",
    ],
)
def test_what_is_no_repository_is_refused(text):
    with pytest.raises((InvalidReferenceError, InvalidDocumentError)):
        RepositorySpec.parse(text)


def test_a_type_must_be_a_type_name():
    with pytest.raises(InvalidReferenceError):
        RepositorySpec("no type", "x")


def test_a_password_is_not_shown():
    for text in ("http://user:secret@host/x", "ftp://user:secret@host/x"):
        with pytest.raises(InvalidReferenceError) as caught:
            ComponentRef.parse(f"{text}//{HELLO}")
        assert "secret" not in str(caught.value) + str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "repository", "component", "version"),
    [
        (f"./ctf//{HELLO}:1.2.0", "./ctf", HELLO, "1.2.0"),
        (f"ctf//{HELLO}", "ctf", HELLO, None),
        (f"ghcr.io/acme/ocm//{HELLO}:v1", "ghcr.io/acme/ocm", HELLO, "v1"),
        (
            f"http://127.0.0.1:5000/base//{HELLO}:1.0.0+b.1",
            "http://127.0.0.1:5000/base",
            HELLO,
            "1.0.0+b.1",
        ),
        (f"http://host//{HELLO}", "http://host", HELLO, None),
        (f"ghcr.io/a/component-descriptors/{HELLO}:1.0.0", "ghcr.io/a", HELLO, "1.0.0"),
        ("./ctf//", "./ctf", None, None),
        ("./ctf", "./ctf", None, None),
        ("http://host/base", "http://host/base", None, None),
        (HELLO, None, HELLO, None),
        (f"{HELLO}:1.0.0", None, HELLO, "1.0.0"),
        (f"./a//b//{HELLO}", "./a//b", HELLO, None),
        (f"Mine::x//{HELLO}", "Mine::x", HELLO, None),
    ],
)
def test_a_reference_is_read_and_written(text, repository, component, version):
    ref = ComponentRef.parse(text)
    assert (ref.component, ref.version) == (component, version)
    assert ref.repository == (RepositorySpec.parse(repository) if repository else None)
    assert ComponentRef.parse(str(ref)) == ref


@pytest.mark.parametrize(
    "name",
    [
        ".",
        "..",
        "../x",
        "a/../../b",
        "example.com/a/../b",
        "example.com/" + "a" * 5000,
        "example.com/a b",
        "example.com/\x1b[31m",
        "example.com/\u202eolleh",
        "example.com/h\u0435llo",
        "-example.com/a",
        "example.com/-a",
        "Example.com/a",
        "example.com/A",
        "example/a",
        "example.com",
        "example.com/",
        "example.com//a",
        "example.com/a/",
        "example.com/a\n",
    ],
)
def test_D07_a_name_that_is_no_component_name_is_refused(name):
    assert not component_name_ok(name)
    with pytest.raises(InvalidReferenceError) as caught:
        ComponentRef.parse(f"./ctf//x/{name}")
    assert caught.value.exit_code == 2
    assert str(caught.value).isprintable()


def test_D07_twin_component_names_are_accepted():
    for name in (HELLO, "a.bc/d", "example.com/a_b.c-d/e"):
        assert component_name_ok(name)
        assert ComponentRef.parse(f"./ctf//{name}").component == name


@pytest.mark.parametrize(
    "version",
    ["../../x", "1.0.0/../../x", "1.0.0\0", "latest", "", "1.0.0.0", "01.0.0", "1.0.0\n", ":1.0.0"],
)
def test_D08_a_version_that_is_none_is_refused(version):
    with pytest.raises(InvalidReferenceError) as caught:
        ComponentRef.parse(f"./ctf//{HELLO}:{version}")
    assert caught.value.exit_code == 2
    with pytest.raises(InvalidReferenceError):
        ComponentRef(None, HELLO, version)


def test_a_json_location_must_end():
    with pytest.raises(InvalidReferenceError, match="is not JSON"):
        ComponentRef.parse(f'Mine::{{"a":1//{HELLO}')


def test_D08_twin_a_version_is_accepted():
    assert ComponentRef.parse(f"./ctf//{HELLO}:1.0.0-rc.1+b").version == "1.0.0-rc.1+b"


def test_a_reference_needs_a_component_or_a_repository():
    with pytest.raises(InvalidReferenceError):
        ComponentRef(None, None)
    with pytest.raises(InvalidReferenceError):
        ComponentRef(RepositorySpec.parse("./ctf"), None, "1.0.0")


@pytest.mark.parametrize("name", ["ab", "hello-1", "a_b+c"])
def test_element_names(name):
    assert element_name_ok(name)


@pytest.mark.parametrize("name", ["", "a", "-a", "a-", "A", "a.b", "a/b", "a\n"])
def test_what_is_no_element_name(name):
    assert not element_name_ok(name)
