"""The constructor of a project."""

from __future__ import annotations

from dataclasses import replace

from ocm_pkg.model import yamltext
from ocm_pkg.model.constructor import parse_constructor
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.documents import KINDS, files_of
from ocm_pkg.model.generate import BuiltResource, GitSource, constructor_for
from ocm_pkg.model.part import BuiltTarget, DocumentEntry
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.model.select import select_resource
from ocm_pkg.model.shape import OCTETS, ShapeInfo, label

PROJECT = parse_project(
    """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
resource: hello-program
description: costs $5 or ${PRICE}
build: {entry: hello.py}
targets: [linux/amd64, linux/arm64]
assets: [{name: docs, path: docs}]
labels: {example.com/b: {x: [$$], n: 1}, example.com/a: text}
""",
    name="x",
)


def built(architecture: str) -> BuiltResource:
    platform = Platform("linux", architecture)
    path = PROJECT.binary_name(platform)
    return BuiltResource(platform, path, OCTETS, label(ShapeInfo("file")))


def test_a_plugin_is_one_resource_per_platform():
    constructor = constructor_for(
        PROJECT, "1.0.0", [built("arm64"), built("amd64")], {"docs": "docs.tar.gz"}
    )
    (component,) = constructor["components"]
    assert component["provider"] == {"name": "example.com"}
    first, second, docs = component["resources"]
    assert first == {
        "name": "hello-program",
        "version": "1.0.0",
        "type": "ocmPlugin",
        "relation": "local",
        "extraIdentity": {"architecture": "amd64", "os": "linux"},
        "labels": [
            {
                "name": "ocm-pkg.dev/shape",
                "signing": True,
                "value": {"formatVersion": 1, "shape": "file"},
            }
        ],
        "input": {
            "type": "file",
            "path": "hello-program.linux-amd64",
            "mediaType": "application/octet-stream",
        },
    }
    assert second["extraIdentity"]["architecture"] == "arm64"
    assert docs["type"] == "directoryTree"
    assert docs["input"]["mediaType"] == "application/x-tar+gzip"


def documented(architecture: str) -> BuiltResource:
    binary = built(architecture)
    documents = {
        name: kind.file_name(PROJECT, binary.platform)
        for name, kind in KINDS.items()
        if (architecture, name) != ("arm64", "sbom")
    }
    return replace(binary, documents=documents)


def test_documents_are_resources_of_their_own_told_apart_by_platform():
    constructor = constructor_for(
        PROJECT, "1.0.0", [documented("arm64"), documented("amd64")], {"docs": "d"}
    )
    (component,) = constructor["components"]
    _amd64, _arm64, sbom, *others = component["resources"]
    assert sbom == {
        "name": "hello-program-sbom",
        "version": "1.0.0",
        "type": "sbom",
        "relation": "local",
        "extraIdentity": {"architecture": "amd64", "os": "linux"},
        "input": {
            "type": "file",
            "path": "hello-program.linux-amd64.cdx.json",
            "mediaType": "application/vnd.cyclonedx+json",
        },
    }
    assert [(one["type"], one["input"]["path"], one["input"]["mediaType"]) for one in others] == [
        ("licences", "hello-program.linux-amd64.licences.tar.gz", "application/x-tar+gzip"),
        ("licences", "hello-program.linux-arm64.licences.tar.gz", "application/x-tar+gzip"),
        ("provenance", "hello-program.linux-amd64.provenance.json", "application/vnd.in-toto+json"),
        ("provenance", "hello-program.linux-arm64.provenance.json", "application/vnd.in-toto+json"),
        ("directoryTree", "d", "application/x-tar+gzip"),
    ]


def test_documents_do_not_disturb_the_selection_of_the_plugin():
    binaries = [documented("arm64"), documented("amd64")]
    (component,) = constructor_for(PROJECT, "1.0.0", binaries, {"docs": "d"})["components"]
    for resource in component["resources"]:
        media_type = resource.pop("input")["mediaType"]
        digest = str(digest_of(b"x"))
        access = {"type": "localBlob/v1", "localReference": digest, "mediaType": media_type}
        resource["access"] = access
    component |= {"provider": "e", "componentReferences": [], "sources": []}
    component["repositoryContexts"] = []
    document = {"meta": {"schemaVersion": "v2"}, "component": component}
    descriptor = ComponentDescriptor.from_json(document, name="x")
    chosen = select_resource(descriptor, platform=Platform("linux", "arm64"))
    assert chosen.identity == {"name": "hello-program", "os": "linux", "architecture": "arm64"}


def test_a_commit_that_others_can_fetch_is_a_source():
    source = GitSource("https://example.com/$x.git", "0" * 40)
    (component,) = constructor_for(PROJECT, "1", [], {"docs": "d"}, source=source)["components"]
    assert component["sources"] == [
        {
            "name": "source",
            "version": "1",
            "type": "git",
            "access": {
                "type": "git",
                "repository": "https://example.com/$$x.git",
                "commit": "0" * 40,
                "ref": "HEAD",
            },
        }
    ]


def test_the_files_of_a_target_are_its_binary_and_its_documents():
    digest = digest_of(b"x")
    entries = DocumentEntry("licences", digest, 1), DocumentEntry("sbom", digest, 2)
    platform = Platform("windows", "amd64")
    target = BuiltTarget(platform, digest, 3, "file", "command", documents=entries)
    assert [(one.name, one.size, one.executable) for one in files_of(PROJECT, target)] == [
        ("hello-program.windows-amd64.exe", 3, True),
        ("hello-program.windows-amd64.licences.tar.gz", 1, False),
        ("hello-program.windows-amd64.cdx.json", 2, False),
    ]
    folder = replace(target, shape="dir", program="hello/hello.exe")
    assert not files_of(PROJECT, folder)[0].executable


def test_the_order_of_binaries_makes_no_difference():
    one = constructor_for(PROJECT, "1", [built("arm64"), built("amd64")], {"docs": "d"})
    other = constructor_for(PROJECT, "1", [built("amd64"), built("arm64")], {"docs": "d"})
    assert yamltext.dump(one) == yamltext.dump(other)


def test_the_constructor_is_read_back_with_its_dollars():
    constructor = constructor_for(PROJECT, "1.0.0", [built("amd64")], {"docs": "d"})
    read = parse_constructor(yamltext.dump(constructor).encode(), name="x", variables={})
    (component,) = read.components
    assert [(item.name, item.value) for item in component.labels] == [
        ("ocm-pkg.dev/description", "costs $5 or ${PRICE}"),
        ("example.com/a", "text"),
        ("example.com/b", {"x": ["$$"], "n": 1}),
    ]


def test_labels_are_left_out_when_there_are_none():
    project = parse_project(
        "{formatVersion: 1, component: e.com/ab, version: 1.0.0, provider: p,"
        " build: {entry: a.py}, targets: [linux/amd64]}",
        name="x",
    )
    assert "labels" not in constructor_for(project, "1", [])["components"][0]
