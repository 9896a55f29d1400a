"""Component versions that the reference tools wrote, read by this project's stores."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.blob import verify
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.store.copying import copy_artifact
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.digester import digest_resource
from ocm_pkg.store.provider import BuiltinProvider
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.trees import snapshot

SET = Path(__file__).parents[2].parent / "shared" / "vectors"
pytestmark = pytest.mark.skipif(not SET.is_dir(), reason="needs ../shared/vectors")


def entries(kind):
    if not SET.is_dir():
        return []
    found = json.loads((SET / "MANIFEST.json").read_text())["vectors"]
    return [pytest.param(each, id=each["id"]) for each in found if each["kind"] in kind]


def opened(entry):
    path = SET / (entry.get("ctf") or entry["file"])
    return BuiltinProvider().open(RepositorySpec("ctf", str(path)))


def name_and_version(entry):
    text = entry.get("component_version") or f"{entry['component']}:{entry['version']}"
    return text.split(":")


def plain(value):
    """Take out what means nothing: null, empty lists and objects."""
    if isinstance(value, dict):
        members = {name: plain(each) for name, each in value.items()}
        return {name: each for name, each in members.items() if each not in (None, [], {})}
    return [plain(each) for each in value] if isinstance(value, list) else value


class Loader(yaml.SafeLoader):
    """Reads times as text."""


Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@pytest.mark.parametrize("entry", entries({"component-version"}))
def test_a_component_version_is_read_with_its_content(entry):
    repository = opened(entry)
    before = snapshot(SET / entry["ctf"])
    name, version = name_and_version(entry)
    got = repository.get(name, version)
    if "descriptor" in entry and "schema" not in entry:
        recorded = yaml.load((SET / entry["descriptor"]).read_text(), Loader)  # noqa: S506 - a safe loader
        assert plain(got.to_json()) == plain(recorded)
    assert version in repository.versions(name)
    blobs = [each for each in got.component.resources if each.access.is_local_blob]
    for element in blobs:
        assert digest_resource(repository, got, element) is element
        if repository.artifact(got, element) is None:
            digest, _size = verify(repository.blob(got, element))
            assert digest == element.access.local_reference
    assert snapshot(SET / entry["ctf"]) == before


@pytest.mark.parametrize("entry", entries({"ctf-archive"}))
def test_an_archive_is_read_with_its_content(entry):
    repository = opened(entry)
    name, version = name_and_version(entry)
    got = repository.get(name, version)
    assert list(repository.versions(name)) == [version]
    for element in got.component.resources:
        assert digest_resource(repository, got, element) is element


GET_WORKS = {
    "index-no-mediatype",
    "resource-blob-missing",
    "unknown-access-type",
    "unknown-field",
    "resources-null",
    "descriptor-yaml",
    *(f"local-reference-{n}" for n in range(7)),
}
CONTENT_WORKS = {"index-no-mediatype", "unknown-field", "resources-null", "descriptor-yaml"}


@pytest.mark.parametrize("entry", entries({"malformed"}))
def test_a_malformed_component_version_is_refused(entry):
    name = entry["id"].partition("/")[2]
    if "ctf" not in entry:
        pytest.skip("a constructor, not a stored component version")
    before = snapshot(SET / entry["ctf"])
    repository = opened(entry)
    component, version = name_and_version(entry)
    missing = "missing" in entry["id"] or "absent" in entry["defect"]
    refused = {2, 4, 3} if missing else {2, 4}
    if name not in GET_WORKS:
        with pytest.raises(OcmPkgError) as caught:
            repository.get(component, version)
        assert caught.value.exit_code in refused
        assert "\n" not in caught.value.message
        assert snapshot(SET / entry["ctf"]) == before
        return
    got = repository.get(component, version)
    for number, element in enumerate(got.component.resources):
        if name in CONTENT_WORKS or number:
            verify(repository.blob(got, element))
            continue
        with pytest.raises(OcmPkgError) as caught:
            verify(repository.blob(got, element))
        assert caught.value.exit_code in refused
    assert snapshot(SET / entry["ctf"]) == before


def test_tags_that_are_no_versions_are_skipped():
    repository = ComponentRepository(CTFStore(SET / "extra" / "ownership" / "ctf"))
    assert list(repository.versions("ocm.test/open/owned")) == ["1.0.0"]


@pytest.mark.parametrize("entry", entries({"component-version"}))
def test_a_copy_keeps_the_descriptor_byte_for_byte(entry, tmp_path):
    source = opened(entry)
    copy = ComponentRepository(CTFStore(tmp_path / "ctf", create=True))
    name, version = name_and_version(entry)
    got = source.get(name, version)
    for element in (*got.component.resources, *got.component.sources):
        if element.access.is_local_blob and not copy_artifact(source, copy, got, element):
            copy.put_blob(name, version, element, source.blob(got, element))
    copy.add(got)
    again = copy.get(name, version)
    assert again.encoded == got.encoded
    for element in again.component.resources:
        if element.access.is_local_blob:
            digest_resource(copy, again, element)


@pytest.mark.parametrize(
    "entry", [each for each in entries({"component-version"}) if "ocilayout" in each.id]
)
def test_an_oci_artifact_comes_as_its_layout_and_is_kept_in_place(entry, tmp_path):
    shutil.copytree(SET / entry["ctf"], tmp_path / "ctf")
    store = CTFStore(tmp_path / "ctf")
    repository = ComponentRepository(store)
    name, version = name_and_version(entry)
    got = repository.get(name, version)
    element = got.component.resources[0]
    with (
        repository.blob(got, element).open() as stream,
        tarfile.open(fileobj=stream, mode="r|*") as tar,
    ):
        names = tar.getnames()
    if repository.artifact(got, element) is not None:
        assert names[:2] == ["oci-layout", "index.json"]
        assert repository.blob(got, element).size == verify(repository.blob(got, element))[1]
    changed = got.with_resources(got.component.resources[::-1])
    repository.add(changed, replace=True)
    again = ComponentRepository(CTFStore(tmp_path / "ctf"))
    assert again.get(name, version) == changed
    for each in changed.component.resources:
        assert digest_resource(again, changed, each) is each
