from __future__ import annotations

import io
import json
import tarfile

import pytest

from ocm_pkg.errors import (
    IntegrityError,
    InvalidDocumentError,
    InvalidReferenceError,
    ResourceNotFoundError,
)
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import mapping, media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.mapping import StoredVersion
from tests.fakes.components import NAME, descriptor, resource, source

CONTENT, OTHER = digest_of(b"content"), digest_of(b"other")
SIZES = {CONTENT: 7, OTHER: 5}


def blob(digest=CONTENT, media_type="text/plain", element=None, **extra_identity):
    element = element or resource(**extra_identity)
    return element.model_copy(update={"access": AccessSpec.local_blob(digest, media_type)})


def packed(*resources, sources=(), sizes=None):
    made = descriptor(resources=resources, sources=sources)
    return mapping.pack(made, SIZES if sizes is None else sizes, creator="ocm-pkg/1")


def layers(pack):
    return json.loads(pack.manifest)["layers"]


def tar(*entries, kind=tarfile.REGTYPE):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(data), kind
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_the_same_input_gives_the_same_bytes():
    assert packed(blob()) == packed(blob())


def test_a_component_without_content_has_the_descriptor_layer_only():
    assert [layer["mediaType"] for layer in layers(packed())] == [media.DESCRIPTOR_JSON]


def test_a_layer_names_every_element_with_its_content():
    both = blob(os="linux", architecture="amd64"), blob(os="linux", architecture="arm64")
    code = blob(element=source())
    pack = packed(*both, sources=[code])
    assert len(layers(pack)) == 2
    layer = layers(pack)[1]
    assert json.loads(layer["annotations"]["software.ocm.artifact"]) == [
        {
            "identity": {"architecture": a, "name": "demo", "os": "linux", "version": "1.0.0"},
            "kind": "resource",
        }
        for a in ("amd64", "arm64")
    ] + [{"identity": {"name": "code", "version": "1.0.0"}, "kind": "source"}]
    assert "platform" not in layer


@pytest.mark.parametrize(
    ("identity", "platform"),
    [
        ({}, None),
        ({"zz-custom": "x"}, None),
        ({"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "amd64"}),
        ({"os": "linux"}, {"os": "linux", "architecture": ""}),
        (
            {"os": "linux", "architecture": "arm64", "variant": "v8"},
            {"os": "linux", "architecture": "arm64", "variant": "v8"},
        ),
    ],
)
def test_the_platform_comes_from_the_extra_identity(identity, platform):
    assert layers(packed(blob(**identity)))[1].get("platform") == platform


def test_content_that_was_not_stored_is_refused():
    with pytest.raises(ResourceNotFoundError, match=rf"demo \({CONTENT}"):
        packed(blob(), sizes={})


def test_a_reference_that_is_no_digest_is_never_written():
    access = AccessSpec.model_validate({"type": "localBlob/v1", "localReference": "../x"})
    with pytest.raises(InvalidDocumentError):
        packed(resource().model_copy(update={"access": access}))


def test_an_oci_artifact_makes_an_index():
    pack = packed(blob(OTHER, media.OCI_MANIFEST, resource("image")), blob())
    index = json.loads(pack.index)
    assert [entry["digest"] for entry in index["manifests"]] == [
        str(digest_of(pack.manifest)),
        str(OTHER),
    ]
    assert index["manifests"][0]["artifactType"] == media.DESCRIPTOR
    assert "artifactType" not in index
    assert [layer["digest"] for layer in layers(pack)][1:] == [str(CONTENT)]
    entries = mapping.read_index(pack.index, "it")
    config, found = mapping.read_manifest(pack.manifest, "it")
    assert config.media_type == media.CONFIG
    stored = StoredVersion(mapping.read_config(pack.config, found, "it"), found, entries[1:])
    image = stored.content(AccessSpec.local_blob(OTHER, media.OCI_MANIFEST), "image")
    assert stored.is_artifact(image)
    assert not stored.is_artifact(stored.content(AccessSpec.local_blob(CONTENT, "x"), "demo"))


def test_a_descriptor_that_was_not_changed_keeps_its_bytes():
    data = json.dumps(descriptor().to_json(), indent=3).encode()
    read = ComponentDescriptor.parse(data, media.DESCRIPTOR_YAML, name="it")
    pack = mapping.pack(read, {}, creator="x")
    assert (pack.descriptor, pack.descriptor_media_type) == (data, media.DESCRIPTOR_YAML)
    pack = mapping.pack(read.with_resources([]), {}, creator="x")
    assert pack.descriptor_media_type == media.DESCRIPTOR_JSON
    assert pack.descriptor == read.with_resources([]).encode()


def test_repositories_and_components_map_both_ways():
    assert mapping.repository_of(NAME) == f"component-descriptors/{NAME}"
    assert mapping.component_of(f"component-descriptors/{NAME}") == NAME
    assert mapping.component_of("other/ocm.test/x") is None
    assert mapping.component_of("component-descriptors/../x") is None
    with pytest.raises(InvalidReferenceError):
        mapping.repository_of("../x")


def test_only_content_of_the_component_version_is_given_out():
    layer = OCIDescriptor(media.DESCRIPTOR_JSON, OTHER, 5)
    stored = StoredVersion(layer, (layer, OCIDescriptor("text/plain", CONTENT, 7)))
    assert stored.content(AccessSpec.local_blob(CONTENT, "x"), "demo").size == 7
    for digest in (OTHER, digest_of(b"nowhere")):
        with pytest.raises(IntegrityError, match="demo refers to"):
            stored.content(AccessSpec.local_blob(digest, "x"), "demo")


MANIFEST = json.loads(packed(blob()).manifest)


@pytest.mark.parametrize(
    "change",
    [
        {"schemaVersion": 1},
        {"mediaType": media.OCI_INDEX},
        {"config": None},
        {"config": {**MANIFEST["config"], "mediaType": "application/vnd.oci.image.config.v1+json"}},
        {"config": {**MANIFEST["config"], "size": -1}},
        {"config": {**MANIFEST["config"], "size": True}},
        {"config": {**MANIFEST["config"], "digest": "sha256:../../etc/passwd"}},
        {"layers": None},
        {"layers": {}},
        {"layers": [{}]},
        {"layers": [{**MANIFEST["layers"][0], "annotations": {"a": 1}}]},
        {"layers": ["x"]},
    ],
)
def test_a_manifest_that_breaks_its_format_is_refused(change):
    assert mapping.read_manifest(json.dumps(MANIFEST).encode(), "it")
    with pytest.raises(InvalidDocumentError, match=r"it|digest"):
        mapping.read_manifest(json.dumps({**MANIFEST, **change}).encode(), "it")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"schemaVersion":2,"manifests":[]}', b'{"schemaVersion":2}']
)
def test_an_index_that_breaks_its_format_is_refused(data):
    with pytest.raises(InvalidDocumentError):
        mapping.read_index(data, "it")


def test_the_first_entry_of_an_index_is_a_manifest():
    entry = OCIDescriptor(media.OCI_INDEX, CONTENT, 7).to_json()
    with pytest.raises(InvalidDocumentError, match="first entry"):
        mapping.read_index(json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode(), "it")


def test_the_config_names_a_layer_of_a_known_type():
    layer = OCIDescriptor(media.DESCRIPTOR_JSON, CONTENT, 7)
    config = json.dumps({"componentDescriptorLayer": layer.to_json()}).encode()
    assert mapping.read_config(config, [layer], "it") == layer
    for other in ((OTHER, 7), (CONTENT, 8)):
        with pytest.raises(InvalidDocumentError, match="lacks"):
            mapping.read_config(config, [OCIDescriptor(media.DESCRIPTOR_JSON, *other)], "it")
    odd = OCIDescriptor("application/x", CONTENT, 7)
    config = json.dumps({"componentDescriptorLayer": odd.to_json()}).encode()
    with pytest.raises(InvalidDocumentError, match="application/x"):
        mapping.read_config(config, [odd], "it")
    for data in (b"[]", b"{}", b'{"componentDescriptorLayer":7}'):
        with pytest.raises(InvalidDocumentError):
            mapping.read_config(data, [layer], "it")


@pytest.mark.parametrize("name", ["component-descriptor.yaml", "/component-descriptor.yaml"])
@pytest.mark.parametrize("media_type", sorted(media.DESCRIPTOR_TAR))
def test_a_descriptor_is_taken_out_of_its_tar(name, media_type):
    data = tar(("other", b"x"), (name, b"meta: {}"))
    assert mapping.read_descriptor(data, media_type, "it") == (b"meta: {}", media.DESCRIPTOR_YAML)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no tar",
        tar(("./component-descriptor.yaml", b"x")),
        tar(("dir/component-descriptor.yaml", b"x")),
        tar(("component-descriptor.yaml", b""), kind=tarfile.SYMTYPE),
        tar(("component-descriptor.yaml", b"x" * 2000))[:1024],
    ],
)
def test_a_tar_without_a_descriptor_is_refused(data):
    with pytest.raises(InvalidDocumentError):
        mapping.read_descriptor(data, f"{media.DESCRIPTOR}+yaml+tar", "it")


@pytest.mark.parametrize("media_type", sorted(media.DESCRIPTOR_PLAIN))
def test_a_plain_descriptor_is_taken_as_it_is(media_type):
    assert mapping.read_descriptor(b"x", media_type, "it") == (b"x", media_type)


def test_a_manifest_says_what_it_is():
    assert mapping.media_type_of(b'{"mediaType":"a/b"}', "it") == "a/b"
    assert mapping.media_type_of(b"{}", "it") == media.OCI_MANIFEST
