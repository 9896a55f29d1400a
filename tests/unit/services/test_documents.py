"""Documents beside binaries: built, joined, checked and packaged as the binaries are."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from ocm_pkg.errors import DigestMismatchError, FileMissingError
from ocm_pkg.model import yamltext
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.documents import LICENCES, SBOM
from ocm_pkg.model.project import parse_project
from ocm_pkg.model.provenance import Provenance, SourceLocation
from ocm_pkg.ports import BuiltBinary, BuiltDocument
from ocm_pkg.services.build import Sources, build
from ocm_pkg.services.merge import merge
from ocm_pkg.services.package import prepare
from tests.fakes.trees import names

PROJECT = parse_project(
    """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build: {builder: command, run: [make], output: out}
targets: [linux/amd64]
""",
    name="x",
)
CONFIG = digest_of(b"config")
COMMIT = "0" * 40
LOCATION = SourceLocation("https://example.com/hello.git", ".")
BINARY, SBOM_FILE, LICENCES_FILE = (
    "hello.linux-amd64",
    "hello.linux-amd64.cdx.json",
    "hello.linux-amd64.licences.tar.gz",
)


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _fd: None)


class FakeBuilder:
    """Leaves a binary, and documents with its content."""

    def __init__(self, kinds):
        self.kinds = kinds

    def missing(self, _target, _host):
        return None

    def build(self, job):
        assert job.version == "1.0.0"
        job.output.write_bytes(b"binary")
        documents = []
        for kind in self.kinds:
            path = job.work / kind.name
            path.write_bytes(kind.name.encode())
            documents.append(BuiltDocument(kind, path))
        return BuiltBinary(job.output, job.target.platform, "file", documents=tuple(documents))


def built(folder, kinds=(SBOM, LICENCES), commit=COMMIT):
    sources = Sources(PROJECT, folder, "1.0.0", commit, CONFIG, None)
    with ThreadPoolExecutor(1) as executor:
        return build(
            sources,
            targets=PROJECT.targets,
            out=folder / "dist",
            builders={"command": FakeBuilder(kinds)},
            executor=executor,
        )


def packaged(folder, location=LOCATION):
    prepared = prepare(
        PROJECT,
        version="1.0.0",
        config=CONFIG,
        lock=None,
        folder=folder,
        out=folder / "dist",
        location=location,
    )
    return yamltext.load(prepared.data, name="x").value["components"][0]


def test_documents_are_left_beside_the_binary_and_reported(tmp_path):
    part = built(tmp_path)
    entries = part.targets[0].documents
    assert [(one.name, one.digest, one.size) for one in entries] == [
        ("licences", digest_of(b"licences"), 8),
        ("sbom", digest_of(b"sbom"), 4),
    ]
    assert (tmp_path / "dist" / SBOM_FILE).read_bytes() == b"sbom"
    assert (tmp_path / "dist" / LICENCES_FILE).stat().st_mode & 0o777 == 0o644
    assert "zlib" in part.targets[0].tools


def test_documents_of_an_earlier_build_do_not_stay_beside_another_binary(tmp_path):
    built(tmp_path)
    part = built(tmp_path, kinds=(LICENCES,))
    assert [one.name for one in part.targets[0].documents] == ["licences"]
    assert SBOM_FILE not in names(tmp_path / "dist")


def test_merging_takes_them_along(tmp_path):
    built(tmp_path)
    merged = merge(PROJECT, config=CONFIG, folders=[tmp_path / "dist"], out=tmp_path / "out")
    assert names(tmp_path / "out") == [BINARY, SBOM_FILE, LICENCES_FILE, "part.json"]
    assert len(merged.part.targets[0].documents) == 2


@pytest.mark.parametrize("file", [SBOM_FILE, LICENCES_FILE])
@pytest.mark.parametrize(
    ("data", "error"), [(b"else", DigestMismatchError), (None, FileMissingError)]
)
def test_one_that_was_changed_or_lost_is_refused_and_named(tmp_path, file, data, error):
    built(tmp_path)
    path = tmp_path / "dist" / file
    path.write_bytes(data) if data else path.unlink()
    with pytest.raises(error, match=file):
        merge(PROJECT, config=CONFIG, folders=[tmp_path / "dist"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(error, match=file):
        packaged(tmp_path)
    assert not (tmp_path / "dist/component-constructor.yaml").exists()


def test_packaging_adds_them_and_the_provenance_as_resources(tmp_path):
    part = built(tmp_path)
    component = packaged(tmp_path)
    assert [(one["name"], one["type"]) for one in component["resources"]] == [
        ("hello", "ocmPlugin"),
        ("hello-sbom", "sbom"),
        ("hello-licences", "licences"),
        ("hello-provenance", "provenance"),
    ]
    data = (tmp_path / "dist/hello.linux-amd64.provenance.json").read_bytes()
    provenance = Provenance.parse(data, name="x")
    assert provenance == Provenance.of(part, part.targets[0], file=BINARY, location=LOCATION)
    assert component["sources"][0]["access"]["commit"] == COMMIT


@pytest.mark.parametrize(
    ("commit", "location"),
    [(None, LOCATION), (f"{COMMIT}-dirty", LOCATION), (COMMIT, SourceLocation())],
    ids=["no commit", "changed", "no repository"],
)
def test_without_a_commit_that_others_can_fetch_there_is_no_source(tmp_path, commit, location):
    built(tmp_path, commit=commit)
    assert "sources" not in packaged(tmp_path, location)
    data = json.loads((tmp_path / "dist/hello.linux-amd64.provenance.json").read_bytes())
    dependencies = data["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [one["name"] for one in dependencies] == []
