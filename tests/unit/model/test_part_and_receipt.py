"""Documents of our own that are read member by member: part.json and receipts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.part import BuiltTarget, DocumentEntry, Part
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.receipt import InstalledFile, InstalledResource, Receipt, ReceiptSignature

DIGEST = digest_of(b"x")
PART = Part(
    component="example.com/plugins/hello",
    version="1.0.0",
    commit="abc",
    config=DIGEST,
    lock=None,
    targets=(
        BuiltTarget(Platform("linux", "arm64"), DIGEST, 2, "file", "command", "2.36"),
        BuiltTarget(
            Platform("linux", "amd64"), DIGEST, 1, "file", "pyinstaller", tools={"python": "3.11.7"}
        ),
    ),
)
RECEIPT = Receipt(
    name="hello",
    component="example.com/plugins/hello",
    version="1.2.0",
    platform=Platform("linux", "amd64"),
    resource=InstalledResource("hello", {"os": "linux", "architecture": "amd64"}, DIGEST),
    descriptor=DIGEST,
    source="ghcr.io/acme/ocm",
    signature=ReceiptSignature("default", str(DIGEST), "trust.yaml:3"),
    shape="dir",
    program="store/x/hello/hello",
    files=(InstalledFile("hello/hello", "ab" * 32, 1, 0o755, 1, 2, 3, 4),),
    installed="2026-11-22T12:00:00Z",
    previous="1.1.0",
    capabilities={"type": {}},
)


def test_a_part_is_read_as_it_was_written():
    read = Part.parse(PART.encode(), name="part.json")
    assert [target.platform.architecture for target in read.targets] == ["amd64", "arm64"]
    assert set(read.targets[0].tools) == {"python"}
    assert read.encode() == PART.encode()


def test_a_part_has_the_documented_form():
    document = json.loads(PART.encode())
    assert list(document) == [
        "formatVersion",
        "component",
        "version",
        "commit",
        "config",
        "lock",
        "targets",
    ]
    assert document["targets"][0] == {
        "platform": "linux/amd64",
        "digest": str(DIGEST),
        "size": 1,
        "shape": "file",
        "glibc": None,
        "builder": "pyinstaller",
        "tools": {"python": "3.11.7"},
    }


def with_documents(*documents):
    return replace(PART, targets=(replace(PART.targets[0], documents=documents),))


def test_documents_of_a_target_are_read_as_they_were_written():
    documents = DocumentEntry("licences", DIGEST, 1), DocumentEntry("sbom", DIGEST, 2)
    part = with_documents(*documents)
    entry = json.loads(part.encode())["targets"][0]["documents"][1]
    assert entry == {"name": "sbom", "digest": str(DIGEST), "size": 2}
    assert Part.parse(part.encode(), name="part.json").targets[0].documents == documents


@pytest.mark.parametrize("documents", [{}, {"documents": None}, {"documents": []}])
def test_a_target_without_documents_has_none(documents):
    document = json.loads(PART.encode())
    document["targets"][0] |= documents
    read = Part.parse(json.dumps(document).encode(), name="part.json")
    assert read.targets[0].documents == ()


@pytest.mark.parametrize(
    ("documents", "says"),
    [
        ({}, "documents is no list"),
        ([{"name": "sbom"}], "digest is missing"),
        ([{"name": "more", "digest": str(DIGEST), "size": 1}], "name must be one of"),
        ([{"name": "sbom", "digest": str(DIGEST), "size": 1, "x": 1}], "x is not known"),
        ([{"name": "sbom", "digest": str(DIGEST), "size": 1}] * 2, "documents has sbom twice"),
    ],
)
def test_documents_that_are_wrong_are_refused(documents, says):
    document = json.loads(PART.encode())
    document["targets"][0]["documents"] = documents
    with pytest.raises(InvalidDocumentError, match=says):
        Part.parse(json.dumps(document).encode(), name="part.json")


def test_a_receipt_is_read_as_it_was_written():
    assert Receipt.parse(RECEIPT.encode(), "hello.json") == RECEIPT


def test_a_receipt_may_have_no_signature_and_no_previous_version():
    document = RECEIPT.to_json() | {"signature": None, "previous": None}
    read = Receipt.parse(json.dumps(document).encode(), "hello.json")
    assert (read.signature, read.previous) == (None, None)


def test_modes_are_octal():
    assert RECEIPT.to_json()["files"][0]["mode"] == "0755"


@pytest.mark.parametrize(
    ("member", "value", "says"),
    [
        ("formatVersion", 2, "formatVersion 2"),
        ("formatVersion", "1", "no integer"),
        ("component", 1, "component is no text"),
        ("config", "sha256:xy", "config is no digest"),
        ("config", None, "config is no text"),
        ("lock", "md5:xy", "lock is no digest"),
        ("targets", {}, "targets is no list"),
        ("targets", [1], "targets[0] is no object"),
        ("more", 1, "more is not known"),
    ],
)
def test_a_part_that_is_wrong_is_refused(member, value, says):
    document = json.loads(PART.encode()) | {member: value}
    with pytest.raises(InvalidDocumentError) as caught:
        Part.parse(json.dumps(document).encode(), name="part.json")
    assert says in caught.value.message
    assert "part.json" in caught.value.message


@pytest.mark.parametrize(
    ("member", "value", "says"),
    [
        ("platform", "linux", "targets[0].platform is no platform"),
        ("platform", "linux/arm64", "platform twice"),
        ("size", -1, "targets[0].size is no integer"),
        ("size", True, "targets[0].size is no integer"),
        ("shape", "zip", "shape must be one of"),
        ("tools", {"x": 1}, "targets[0].tools.x is no text"),
        ("tools", [], "targets[0].tools is no object"),
        ("more", 1, "targets[0].more is not known"),
    ],
)
def test_a_target_that_is_wrong_is_refused(member, value, says):
    document = json.loads(PART.encode())
    document["targets"][0][member] = value
    with pytest.raises(InvalidDocumentError) as caught:
        Part.parse(json.dumps(document).encode(), name="part.json")
    assert says in caught.value.message


@pytest.mark.parametrize("member", sorted(set(RECEIPT.to_json()) - {"signature", "previous"}))
def test_a_receipt_without_a_member_is_refused(member):
    document = RECEIPT.to_json()
    del document[member]
    with pytest.raises(InvalidDocumentError, match=f"{member} is missing"):
        Receipt.parse(json.dumps(document).encode(), "hello.json")


@pytest.mark.parametrize("mode", ["", "9", "rwx", "0o755", "000755"])
def test_a_mode_that_is_not_octal_is_refused(mode):
    document = RECEIPT.to_json()
    document["files"][0]["mode"] = mode
    with pytest.raises(InvalidDocumentError, match="octal"):
        Receipt.parse(json.dumps(document).encode(), "hello.json")


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b"\xff", b'{"formatVersion": 1}'])
def test_what_is_no_document_is_refused(data):
    for parse in (lambda: Part.parse(data, name="x"), lambda: Receipt.parse(data, "x")):
        with pytest.raises(InvalidDocumentError):
            parse()


def test_a_shape_that_is_unknown_is_refused():
    document = RECEIPT.to_json() | {"shape": "zip"}
    with pytest.raises(InvalidDocumentError, match="shape"):
        Receipt.parse(json.dumps(document).encode(), "hello.json")


@pytest.mark.parametrize(("shape", "program"), [("dir", None), ("file", "hello/hello")])
def test_a_folder_names_its_program_and_nothing_else_does(shape, program):
    document = json.loads(PART.encode())
    document["targets"][0] |= {"shape": shape, "program": program}
    with pytest.raises(InvalidDocumentError, match="for the shape dir"):
        Part.parse(json.dumps(document).encode(), name="part.json")


def test_a_folder_is_read_as_it_was_written():
    target = replace(PART.targets[0], shape="dir", program="hello/hello")
    part = replace(PART, targets=(target,))
    assert Part.parse(part.encode(), name="part.json").targets[0].program == "hello/hello"


def test_a_link_in_a_receipt_is_read_as_it_was_written():
    link = replace(RECEIPT.files[0], path="hello/x", link="hello")
    receipt = replace(RECEIPT, files=(*RECEIPT.files, link))
    assert Receipt.parse(receipt.encode(), "it").files == receipt.files
