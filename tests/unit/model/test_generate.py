"""The constructor of a project."""

from __future__ import annotations

from ocm_pkg.model import yamltext
from ocm_pkg.model.constructor import parse_constructor
from ocm_pkg.model.generate import BuiltResource, constructor_for
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
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
