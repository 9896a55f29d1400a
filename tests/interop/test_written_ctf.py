"""A CTF written here, field by field as the specification says and the reference writes it."""

from __future__ import annotations

import hashlib
import json

from ocm_pkg import __version__
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import descriptor, resource, source

NAME, VERSION = "ocm.test/open/plugins/demo", "1.0.0+build.5"
PROGRAMS = {("linux", "amd64"): b"one", ("linux", "arm64"): b"two", ("darwin", "arm64"): b"one"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DESCRIPTOR = "application/vnd.ocm.software.component-descriptor.v2"


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def written(path):
    repository = ComponentRepository(CTFStore(path, create=True))
    resources = [
        repository.put_blob(
            NAME,
            VERSION,
            resource(version=VERSION, os=os, architecture=architecture),
            BytesBlob(data, "application/octet-stream"),
        )
        for (os, architecture), data in PROGRAMS.items()
    ]
    code = repository.put_blob(
        NAME, VERSION, source(version=VERSION), BytesBlob(b"src", "text/plain")
    )
    repository.add(descriptor(NAME, VERSION, resources, [code]))
    return path


def documents(path):
    blobs = {
        "sha256:" + file.name.removeprefix("sha256."): file.read_bytes()
        for file in (path / "blobs").iterdir()
    }
    index = json.loads((path / "artifact-index.json").read_bytes())
    manifest = json.loads(blobs[index["artifacts"][0]["digest"]])
    return blobs, index, manifest


def identity(os, architecture):
    return {"architecture": architecture, "name": "demo", "os": os, "version": VERSION}


def test_the_index_has_the_members_of_the_format_and_no_others(tmp_path):
    path = written(tmp_path / "ctf")
    _blobs, index, _manifest = documents(path)
    (entry,) = index.pop("artifacts")
    assert index == {"schemaVersion": 1}
    assert list(entry) == ["repository", "tag", "digest", "mediaType"]
    assert entry["repository"] == f"component-descriptors/{NAME}"
    assert entry["tag"] == "1.0.0.build-build.5"
    assert entry["mediaType"] == MANIFEST
    assert sorted(file.name for file in path.iterdir()) == ["artifact-index.json", "blobs"]


def test_every_blob_has_the_name_of_its_digest_and_is_referred_to(tmp_path):
    blobs, index, manifest = documents(written(tmp_path / "ctf"))
    assert all(digest(data) == name for name, data in blobs.items())
    named = {index["artifacts"][0]["digest"], manifest["config"]["digest"]}
    named |= {layer["digest"] for layer in manifest["layers"]}
    assert named == set(blobs)


def test_the_manifest_is_the_one_that_the_reference_writes(tmp_path):
    blobs, _index, manifest = documents(written(tmp_path / "ctf"))
    data = blobs[manifest["layers"][0]["digest"]]
    config = blobs[manifest["config"]["digest"]]
    one, two, code = b"one", b"two", b"src"
    artifact = lambda *users: {  # noqa: E731
        "software.ocm.artifact": json.dumps(
            [{"identity": each, "kind": kind} for each, kind in users], separators=(",", ":")
        )
    }
    assert manifest == {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": DESCRIPTOR,
        "config": {
            "mediaType": "application/vnd.ocm.software.component.config.v1+json",
            "digest": digest(config),
            "size": len(config),
        },
        "layers": [
            {"mediaType": f"{DESCRIPTOR}+json", "digest": digest(data), "size": len(data)},
            {
                "mediaType": "application/octet-stream",
                "digest": digest(one),
                "size": 3,
                "annotations": artifact(
                    (identity("linux", "amd64"), "resource"),
                    (identity("darwin", "arm64"), "resource"),
                ),
            },
            {
                "mediaType": "application/octet-stream",
                "digest": digest(two),
                "size": 3,
                "annotations": artifact((identity("linux", "arm64"), "resource")),
                "platform": {"architecture": "arm64", "os": "linux"},
            },
            {
                "mediaType": "text/plain",
                "digest": digest(code),
                "size": 3,
                "annotations": artifact(({"name": "code", "version": VERSION}, "source")),
            },
        ],
        "annotations": {
            "software.ocm.componentversion": f"{NAME}:{VERSION}",
            "software.ocm.creator": f"ocm-pkg/{__version__}",
        },
    }
    assert json.loads(config) == {"componentDescriptorLayer": manifest["layers"][0]}
    assert not config.endswith(b"\n")


def test_the_descriptor_is_one_that_both_references_read(tmp_path):
    blobs, _index, manifest = documents(written(tmp_path / "ctf"))
    value = json.loads(blobs[manifest["layers"][0]["digest"]])
    assert value["meta"] == {"schemaVersion": "v2"}
    component = value["component"]
    assert isinstance(component["provider"], str)
    assert component["repositoryContexts"] == component["componentReferences"] == []
    assert "creationTime" not in component
    for element in component["resources"]:
        content = PROGRAMS[element["extraIdentity"]["os"], element["extraIdentity"]["architecture"]]
        assert element["access"] == {
            "type": "localBlob/v1",
            "localReference": digest(content),
            "mediaType": "application/octet-stream",
        }
        assert element["digest"] == {
            "hashAlgorithm": "SHA-256",
            "normalisationAlgorithm": "genericBlobDigest/v1",
            "value": hashlib.sha256(content).hexdigest(),
        }


def test_the_same_input_gives_the_same_archive(tmp_path):
    one, two = (documents(written(tmp_path / name)) for name in ("one", "two"))
    assert one == two
