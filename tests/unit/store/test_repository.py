from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from ocm_pkg import __version__
from ocm_pkg.errors import (
    ComponentVersionNotFoundError,
    DigestMismatchError,
    FileMissingError,
    IntegrityError,
    InvalidDocumentError,
    InvalidReferenceError,
    OcmPkgError,
    UnreachableContentError,
)
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.descriptor import ComponentDescriptor, DigestSpec
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.store import mapping, media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.digester import digest_resource
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.provider import BuiltinProvider
from ocm_pkg.store.repository import ComponentRepository, StoredComponents
from tests.fakes.components import NAME, descriptor, resource, source, stored

REPOSITORY = f"component-descriptors/{NAME}"


def documents(store, tag="1.0.0"):
    top = store.resolve(REPOSITORY, tag)
    manifest = json.loads(read_all(store.fetch(REPOSITORY, top), 10_000, "it"))
    return top, manifest


def test_the_manifest_names_its_creator_and_component_version():
    store = MemoryStore()
    stored(ComponentRepository(store))
    _top, manifest = documents(store)
    assert manifest["annotations"] == {
        "software.ocm.componentversion": f"{NAME}:1.0.0",
        "software.ocm.creator": f"ocm-pkg/{__version__}",
    }


def test_a_transferred_descriptor_keeps_its_bytes_and_media_type():
    data = json.dumps(descriptor().to_json(), indent=1).encode()
    read = ComponentDescriptor.parse(data, media.DESCRIPTOR_YAML, name="it")
    repository = ComponentRepository(MemoryStore())
    repository.add(read)
    again = repository.get(NAME, "1.0.0").encoded
    assert (again.data, again.media_type) == (data, media.DESCRIPTOR_YAML)


def test_D12_a_descriptor_of_another_component_version_is_refused():
    for other in (descriptor(version="2.0.0"), descriptor(name="other.example/evil")):
        store = MemoryStore()
        pack = mapping.pack(other, {}, creator="x")
        for data, media_type in (
            (pack.descriptor, media.DESCRIPTOR_JSON),
            (pack.config, media.CONFIG),
        ):
            store.push(REPOSITORY, BytesBlob(data), media_type)
        top = store.push(REPOSITORY, BytesBlob(pack.manifest), media.OCI_MANIFEST)
        store.tag(REPOSITORY, top, "1.0.0")
        with pytest.raises(IntegrityError, match=f"{other.name}:{other.version}"):
            ComponentRepository(store).get(NAME, "1.0.0")


def test_tags_that_are_no_versions_are_left_out():
    store = MemoryStore()
    repository = ComponentRepository(store)
    stored(repository)
    top, _manifest = documents(store)
    for tag in ("latest", "sha256-" + "0" * 64, "1.0.0.0", "v1.x"):
        store.tag(REPOSITORY, top, tag)
    assert list(repository.versions(NAME)) == ["1.0.0"]


def test_what_is_there_is_named_when_a_version_is_missing():
    repository = ComponentRepository(MemoryStore())
    with pytest.raises(ComponentVersionNotFoundError) as caught:
        repository.get(NAME, "1.0.0")
    assert "no version" in caught.value.hint
    for minor in range(6):
        stored(repository, version=f"1.{minor}.0")
    with pytest.raises(ComponentVersionNotFoundError) as caught:
        repository.get(NAME, "2.0.0")
    assert caught.value.hint == "it has 1.5.0, 1.4.0, 1.3.0, 1.2.0, 1.1.0, ..."


def test_a_broken_version_is_replaced_only_if_that_is_asked_for():
    store = MemoryStore()
    top = store.push(REPOSITORY, BytesBlob(b"broken"), media.OCI_MANIFEST)
    store.tag(REPOSITORY, top, "1.0.0")
    repository = ComponentRepository(store)
    with pytest.raises(InvalidDocumentError):
        repository.add(descriptor())
    repository.add(descriptor(), replace=True)
    assert repository.get(NAME, "1.0.0") == descriptor()


def test_a_document_that_is_too_long_is_not_read():
    store = MemoryStore()
    store.push(REPOSITORY, BytesBlob(b"{}"), media.OCI_MANIFEST)
    lie = OCIDescriptor(media.OCI_MANIFEST, digest_of(b"{}"), mapping.MAX_DOCUMENT + 1)
    store.tag(REPOSITORY, lie, "1.0.0")
    with pytest.raises(InvalidDocumentError, match="more than"):
        ComponentRepository(store).get(NAME, "1.0.0")


def test_content_added_by_another_writer_is_found():
    store = MemoryStore()
    reader, writer = ComponentRepository(store), ComponentRepository(store)
    stored(writer, content=b"one")
    reader.get(NAME, "1.0.0")
    element = writer.put_blob(NAME, "1.0.0", resource(), BytesBlob(b"two"))
    changed = descriptor(resources=[element])
    writer.add(changed, replace=True)
    assert read_all(reader.blob(changed, element), 10, "it") == b"two"


def test_many_versions_are_read_with_bounded_memory():
    repository = ComponentRepository(MemoryStore())
    for patch in range(70):
        stored(repository, version=f"1.0.{patch}")
        repository.get(NAME, f"1.0.{patch}")
    assert len(repository._stored) <= 64


def test_an_element_that_is_stored_already_comes_back_as_it_is():
    repository = ComponentRepository(MemoryStore())
    access = AccessSpec.model_validate(
        {"type": "LocalBlob/v1", "localReference": str(digest_of(b"x")), "mediaType": "text/plain"}
    )
    element = source().model_copy(update={"access": access})
    assert repository.put_blob(NAME, "1.0.0", element, BytesBlob(b"x", "text/plain")) == element


def test_the_hint_for_a_later_upload_is_kept():
    repository = ComponentRepository(MemoryStore())
    access = AccessSpec.model_validate({"type": "localBlob/v1", "referenceName": "demo/image:1"})
    element = resource().model_copy(update={"access": access})
    stored_element = repository.put_blob(NAME, "1.0.0", element, BytesBlob(b"x"))
    assert stored_element.access.reference_name == "demo/image:1"
    assert stored_element.access.media_type == "application/octet-stream"


def with_digest(element, hash_algorithm, value, sort="genericBlobDigest/v1"):
    spec = DigestSpec(hash_algorithm=hash_algorithm, normalisation_algorithm=sort, value=value)
    return element.model_copy(update={"digest": spec})


def test_a_digest_is_checked_in_its_own_algorithm():
    repository = ComponentRepository(MemoryStore())
    added = stored(repository)
    element = added.component.resources[0]
    right = with_digest(element, "SHA-512", hashlib.sha512(b"content").hexdigest())
    assert digest_resource(repository, added, right) is right
    wrong = with_digest(element, "SHA-512", hashlib.sha512(b"other").hexdigest())
    with pytest.raises(DigestMismatchError, match="sha512"):
        digest_resource(repository, added, wrong)
    bare = element.model_copy(update={"digest": None})
    assert digest_resource(repository, added, bare) == element
    sha512 = digest_resource(repository, added, bare, algorithm="sha512")
    assert sha512.digest == right.digest


def test_content_that_is_excluded_from_signatures_has_no_digest():
    repository = ComponentRepository(MemoryStore())
    added = stored(repository)
    element = added.component.resources[0]
    excluded = with_digest(element, "NO-DIGEST", "NO-DIGEST", "EXCLUDE-FROM-SIGNATURE")
    assert digest_resource(repository, added, excluded) is excluded
    none = resource()
    assert digest_resource(repository, added, none) is none
    assert repository.put_blob(NAME, "1.0.0", excluded, BytesBlob(b"x")).digest == excluded.digest


def test_a_digest_of_an_unknown_sort_is_no_check():
    repository = ComponentRepository(MemoryStore())
    added = stored(repository)
    odd = with_digest(added.component.resources[0], "SHA-256", "0" * 64, "odd/v1")
    with pytest.raises(InvalidDocumentError, match="odd/v1"):
        digest_resource(repository, added, odd)


def test_the_digest_of_content_elsewhere_is_not_computed():
    repository = ComponentRepository(MemoryStore())
    for type_name, error in (
        ("ociArtifact", UnreachableContentError),
        ("gitHub/v1", UnreachableContentError),
        ("totallyUnknown/v7", InvalidDocumentError),
    ):
        access = AccessSpec.model_validate({"type": type_name})
        with pytest.raises(error, match=type_name):
            digest_resource(
                repository, descriptor(), resource().model_copy(update={"access": access})
            )


def test_only_content_stored_here_can_be_an_artifact():
    repository = ComponentRepository(MemoryStore())
    added = stored(repository)
    assert repository.artifact(added, added.component.resources[0]) is None
    assert repository.artifact(added, resource()) is None


def test_components_of_a_store_are_listed():
    store = MemoryStore()
    for name in ("ocm.test/b", "ocm.test/a"):
        stored(ComponentRepository(store), name=name)
    store.tag("images/demo", OCIDescriptor("x", digest_of(b""), 0), "1")
    assert StoredComponents(store).components() == ["ocm.test/a", "ocm.test/b"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"mediaType": ""},
        {"mediaType": "x", "size": 1.5},
        {"mediaType": "x", "size": 1},
    ],
)
def test_an_oci_descriptor_that_breaks_its_format_is_refused(value):
    with pytest.raises(InvalidDocumentError, match="the layer"):
        OCIDescriptor.from_json(value, what="the layer")


def test_the_provider_opens_folders_and_archives(tmp_path):
    provider = BuiltinProvider(tmp_path, home=tmp_path / "home")
    with pytest.raises(FileMissingError, match="ctf"):
        provider.open(RepositorySpec("ctf", "ctf"))
    stored(provider.open(RepositorySpec("ctf", "ctf"), create=True))
    assert provider.open(RepositorySpec("ctf", "ctf")).get(NAME, "1.0.0")
    assert provider.open(RepositorySpec("ctf", f"file://{tmp_path}/ctf")).get(NAME, "1.0.0")
    stored(provider.open(RepositorySpec("ctf", "~/ctf"), create=True))
    assert (tmp_path / "home" / "ctf" / "artifact-index.json").is_file()
    for name in ("new.tgz", "new.tar.gz", "new.tar"):
        stored(provider.open(RepositorySpec("ctf", name), create=True))
        assert (tmp_path / name).is_file()
        assert provider.open(RepositorySpec("ctf", name)).get(NAME, "1.0.0")
    with pytest.raises(FileMissingError):
        provider.open(RepositorySpec("ctf", "missing.tgz"))
    Path(tmp_path / "file").write_text("x")
    with pytest.raises(OcmPkgError):
        provider.open(RepositorySpec("ctf", "file"))


def test_the_provider_says_which_types_are_built_in(tmp_path):
    with pytest.raises(InvalidReferenceError, match="not built in") as caught:
        BuiltinProvider(tmp_path).open(RepositorySpec("oci", "ghcr.io/x"))
    assert "plugin" in caught.value.hint


@pytest.mark.parametrize("sort", ["manifest", "index"])
def test_an_artifact_set_of_the_older_tool_is_bytes_like_any_other(sort):
    media_type = f"application/vnd.oci.image.{sort}.v1+tar+gzip"
    repository = ComponentRepository(MemoryStore())
    blob = BytesBlob(b"\x1f\x8b any bytes", media_type)
    element = repository.put_blob(NAME, "1.0.0", resource(), blob)
    stored_one = descriptor(resources=[element])
    repository.add(stored_one)
    assert repository.artifact(stored_one, element) is None
    got = repository.blob(stored_one, element)
    assert (got.media_type, read_all(got, 100, "it")) == (media_type, b"\x1f\x8b any bytes")
    top, _manifest = documents(repository.store)
    assert top.media_type == media.OCI_MANIFEST
