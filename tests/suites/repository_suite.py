"""What every ``ports.Repository`` must do; a test class inherits it and gives ``repository``."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import (
    AlreadyExistsError,
    ComponentVersionNotFoundError,
    DigestMismatchError,
    InvalidDocumentError,
    OcmPkgError,
    UnreachableContentError,
    UsageError,
)
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.model.digest import digest_of
from tests.fakes.components import NAME, descriptor, resource, source, stored


class RepositorySuite:
    def test_a_component_version_comes_back_with_its_content(self, repository):
        added = stored(repository, content=b"content", os="linux", architecture="amd64")
        got = repository.get(NAME, "1.0.0")
        assert got == added
        element = got.component.resources[0]
        assert element.access.is_local_blob
        assert element.access.local_reference == digest_of(b"content")
        assert element.digest.value == digest_of(b"content").hex
        blob = repository.blob(got, element)
        assert read_all(blob, 100, "it") == b"content"
        assert blob.media_type == "application/octet-stream"

    def test_sources_have_content_too(self, repository):
        code = repository.put_blob(NAME, "1.0.0", source(), BytesBlob(b"code", "text/plain"))
        repository.add(descriptor(sources=[code]))
        got = repository.get(NAME, "1.0.0")
        assert read_all(repository.blob(got, got.component.sources[0]), 100, "it") == b"code"

    def test_elements_may_share_content(self, repository):
        elements = [
            repository.put_blob(NAME, "1.0.0", resource(os=os), BytesBlob(b"same", "text/plain"))
            for os in ("linux", "darwin")
        ]
        repository.add(descriptor(resources=elements))
        got = repository.get(NAME, "1.0.0")
        for element in got.component.resources:
            assert read_all(repository.blob(got, element), 100, "it") == b"same"

    def test_what_is_not_there_is_not_found(self, repository):
        with pytest.raises(ComponentVersionNotFoundError, match=r"demo:1\.0\.0"):
            repository.get(NAME, "1.0.0")
        assert list(repository.versions(NAME)) == []
        stored(repository, version="2.0.0")
        with pytest.raises(ComponentVersionNotFoundError):
            repository.get(NAME, "1.0.0")
        with pytest.raises(ComponentVersionNotFoundError):
            repository.get("ocm.test/other", "2.0.0")

    def test_nothing_is_visible_before_it_is_added(self, repository):
        repository.put_blob(NAME, "1.0.0", resource(), BytesBlob(b"content"))
        assert list(repository.versions(NAME)) == []
        with pytest.raises(ComponentVersionNotFoundError):
            repository.get(NAME, "1.0.0")

    def test_versions_are_listed_newest_first(self, repository):
        for version in ("1.0.0", "1.10.0", "1.2.0-rc.1", "1.2.0", "v2", "1.2.0+build.5"):
            stored(repository, version=version)
        versions = list(repository.versions(NAME))
        assert versions == ["v2", "1.10.0", "1.2.0+build.5", "1.2.0", "1.2.0-rc.1", "1.0.0"]
        for version in versions:
            assert repository.get(NAME, version).version == version

    def test_adding_the_same_again_changes_nothing(self, repository):
        first = stored(repository)
        repository.add(first)
        repository.add(ComponentDescriptor.from_json(first.to_json(), name="it"))
        assert repository.get(NAME, "1.0.0") == first

    def test_another_descriptor_is_refused_unless_it_may_replace(self, repository):
        first = stored(repository, content=b"one")
        element = repository.put_blob(NAME, "1.0.0", resource(), BytesBlob(b"two"))
        second = descriptor(resources=[element])
        with pytest.raises(AlreadyExistsError, match=r"demo:1\.0\.0"):
            repository.add(second)
        assert repository.get(NAME, "1.0.0") == first
        repository.add(second, replace=True)
        got = repository.get(NAME, "1.0.0")
        assert got == second
        assert read_all(repository.blob(got, got.component.resources[0]), 10, "it") == b"two"
        assert list(repository.versions(NAME)) == ["1.0.0"]

    def test_a_descriptor_whose_content_is_not_there_is_refused(self, repository):
        access = AccessSpec.local_blob(digest_of(b"nowhere"), "text/plain")
        with pytest.raises(OcmPkgError, match="demo"):
            repository.add(descriptor(resources=[resource().model_copy(update={"access": access})]))
        assert list(repository.versions(NAME)) == []

    def test_content_that_differs_from_the_recorded_digest_is_refused(self, repository):
        element = repository.put_blob(NAME, "1.0.0", resource(), BytesBlob(b"one"))
        with pytest.raises(DigestMismatchError):
            repository.put_blob(NAME, "1.0.0", element, BytesBlob(b"two"))
        assert repository.put_blob(NAME, "1.0.0", element, BytesBlob(b"one")) == element

    def test_content_elsewhere_is_not_read(self, repository):
        image = AccessSpec.model_validate(
            {"type": "ociArtifact", "imageReference": "ghcr.io/x/y:1"}
        )
        odd = AccessSpec.model_validate({"type": "totallyUnknown/v7"})
        elements = [
            resource("image").model_copy(update={"access": image}),
            resource("odd").model_copy(update={"access": odd}),
        ]
        repository.add(descriptor(resources=elements))
        got = repository.get(NAME, "1.0.0")
        with pytest.raises(UnreachableContentError, match="image"):
            repository.blob(got, got.component.resources[0])
        with pytest.raises(InvalidDocumentError, match="totallyUnknown/v7"):
            repository.blob(got, got.component.resources[1])

    def test_a_reference_to_content_of_another_version_is_refused(self, repository):
        one = stored(repository, version="1.0.0", content=b"one")
        two = stored(repository, version="2.0.0", content=b"two")
        with pytest.raises(OcmPkgError):
            repository.blob(two, one.component.resources[0])

    @pytest.mark.parametrize("name", ["demo", "../etc", "ocm.test/../x", "OCM.test/x", ""])
    def test_a_name_that_is_none_is_refused(self, repository, name):
        with pytest.raises(UsageError):
            repository.get(name, "1.0.0")
        with pytest.raises(UsageError):
            repository.versions(name)
        with pytest.raises(UsageError):
            repository.put_blob(name, "1.0.0", resource(), BytesBlob(b"x"))

    @pytest.mark.parametrize("version", ["latest", "../x", "", "1.0.0.0"])
    def test_a_version_that_is_none_is_refused(self, repository, version):
        with pytest.raises(UsageError):
            repository.get(NAME, version)
        with pytest.raises(UsageError):
            repository.put_blob(NAME, version, resource(), BytesBlob(b"x"))

    def test_unknown_members_are_kept(self, repository):
        value = descriptor().to_json()
        value["component"]["future"] = {"kept": [1, None]}
        repository.add(ComponentDescriptor.from_json(value, name="it"))
        assert repository.get(NAME, "1.0.0").to_json() == value
