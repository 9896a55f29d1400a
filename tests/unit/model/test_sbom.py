"""The SBOM of a binary: what cyclonedx-bom says, reduced to what is in it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.sbom import SbomSubject, encode, package_name, pinned, sbom_of, with_hash

SUBJECT = SbomSubject("example.com/plugins/hello", "1.0.0", "3.11.7", "0.1.0", "7.5.0")
MAIN = "example.com/plugins/hello@1.0.0"


def component(name, version="1.0", **more):
    return {"type": "library", "bom-ref": f"r-{name}", "name": name, "version": version, **more}


ANSWER = {
    "bomFormat": "CycloneDX",
    "serialNumber": "urn:uuid:1",
    "metadata": {"timestamp": "now"},
    "components": [
        component("Typing_Extensions", purl="pkg:pypi/typing-extensions@1.0"),
        component(
            "pydantic",
            description="d",
            licenses=[{"license": {"id": "MIT"}}],
            properties=[{"name": "cdx:python:package:required-extra", "value": "x"}],
            externalReferences=[
                {"type": "website", "url": "https://example.com"},
                {"type": "distribution", "url": "file:///home/me/pydantic.whl"},
            ],
        ),
        component("pytest", externalReferences=[{"type": "website", "url": "file:///x"}]),
    ],
    "dependencies": [
        {"ref": "r-pydantic", "dependsOn": ["r-Typing_Extensions", "r-pytest", "r-none"]},
        {"ref": "r-pytest", "dependsOn": ["r-pydantic"]},
        {"ref": "r-Typing_Extensions"},
    ],
}


def made(packages=("pydantic", "typing-extensions"), answer=ANSWER, subject=SUBJECT):
    return sbom_of(json.dumps(answer).encode(), subject, packages, name="it")


def test_only_what_is_in_the_binary_is_listed_with_the_sdk_and_python():
    document = made()
    assert [entry["bom-ref"] for entry in document["components"]] == [
        "ocm-pkg@0.1.0",
        "pydantic@1.0",
        "python@3.11.7",
        "typing-extensions@1.0",
    ]
    assert document["metadata"]["component"] == {
        "type": "application",
        "bom-ref": MAIN,
        "name": "example.com/plugins/hello",
        "version": "1.0.0",
    }
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")


def test_nothing_is_kept_that_differs_from_machine_to_machine():
    document = made()
    assert not {"serialNumber", "timestamp"} & {*document, *document["metadata"]}
    (entry,) = [entry for entry in document["components"] if entry["name"] == "pydantic"]
    assert entry == {
        "type": "library",
        "bom-ref": "pydantic@1.0",
        "name": "pydantic",
        "version": "1.0",
        "description": "d",
        "licenses": [{"license": {"id": "MIT"}}],
        "externalReferences": [{"type": "website", "url": "https://example.com"}],
    }
    (test,) = [entry for entry in made(["pytest"])["components"] if entry["name"] == "pytest"]
    assert "externalReferences" not in test


def test_dependencies_are_among_what_is_listed():
    assert made()["dependencies"] == [
        {
            "ref": MAIN,
            "dependsOn": [
                "ocm-pkg@0.1.0",
                "pydantic@1.0",
                "python@3.11.7",
                "typing-extensions@1.0",
            ],
        },
        {"ref": "ocm-pkg@0.1.0"},
        {"ref": "pydantic@1.0", "dependsOn": ["typing-extensions@1.0"]},
        {"ref": "python@3.11.7"},
        {"ref": "typing-extensions@1.0"},
    ]


def test_an_sdk_that_is_pinned_is_listed_as_any_other_package():
    answer = {**ANSWER, "components": [component("ocm_pkg", "2.0")]}
    document = made(["ocm-pkg"], answer, replace(SUBJECT, sdk=None))
    names = [entry["bom-ref"] for entry in document["components"]]
    assert names == ["ocm-pkg@2.0", "python@3.11.7"]


def test_without_the_sdk_it_is_not_listed():
    document = made([], subject=replace(SUBJECT, sdk=None))
    assert [entry["name"] for entry in document["components"]] == ["python"]


def test_a_package_that_is_there_twice_is_listed_once_and_always_the_same_one():
    twice = [component("six", "2"), component("six", "1")]
    answers = [{**ANSWER, "components": order} for order in (twice, twice[::-1])]
    first, second = (encode(made(["six"], answer)) for answer in answers)
    assert first == second
    assert first.count(b'"name": "six"') == 1


def test_the_binary_is_named_by_its_hash():
    digest = digest_of(b"binary")
    document = with_hash(made(), digest)
    assert document["metadata"]["component"]["hashes"] == [
        {"alg": "SHA-256", "content": digest.hex}
    ]
    assert "hashes" not in made()["metadata"]["component"]


def test_equal_documents_have_equal_bytes():
    answer = {**ANSWER, "components": ANSWER["components"][::-1]}
    assert encode(made(answer=answer)) == encode(made())


def test_parts_of_another_form_are_passed_over():
    answer = {"bomFormat": "CycloneDX", "components": ["x"], "dependencies": {"ref": 1}}
    assert [entry["name"] for entry in made(answer=answer)["components"]] == ["ocm-pkg", "python"]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"bomFormat": "SPDX"}'])
def test_an_answer_that_is_no_sbom_is_refused(data):
    with pytest.raises(InvalidDocumentError, match="it"):
        sbom_of(data, SUBJECT, (), name="it")


def test_names_of_packages_have_one_spelling():
    assert package_name("Typing__Extensions.x") == "typing-extensions-x"


def test_a_lock_pins_packages_and_nothing_else():
    lock = """\
# comment==1
--index-url https://example.com
Foo.Bar[extra,more]==1.0 \\
    --hash=sha256:00
    # via baz==1
zope==2 ; python_version < "3.12"
open>=1
"""
    assert pinned(lock) == {"foo-bar", "zope"}
