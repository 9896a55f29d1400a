from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest

from ocm_pkg.errors import DigestMismatchError, IntegrityError, OcmPkgError, UnsafeArchiveError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.artifactset import manifest_of
from tests.fakes.components import artifact_set

CONFIG, LAYER = b"{}", b"layer"


def entry(data: bytes, media_type: str = "application/x", **members) -> dict:
    return {
        "mediaType": media_type,
        "digest": str(digest_of(data)),
        "size": len(data),
        **members,
    }


def manifest() -> bytes:
    value = {"schemaVersion": 2, "config": entry(CONFIG), "layers": [entry(LAYER)]}
    return json.dumps(value).encode()


def of(files, **options):
    return manifest_of(BytesBlob(artifact_set(files)), "image", **options)


def whole(**changes: bytes | None) -> dict[str, bytes | None]:
    """Return the files of a set about one manifest."""
    files = {
        "index.json": json.dumps({"manifests": [entry(manifest())]}).encode(),
        "oci-layout": b"{}",
        **{f"blobs/sha256.{digest_of(data).hex}": data for data in (CONFIG, LAYER, manifest())},
    }
    return {**files, **changes}


def test_the_manifest_that_a_set_is_about_is_found_and_all_of_its_parts() -> None:
    assert of(whole()) == digest_of(manifest())


def test_a_layout_without_gzip_is_a_set_too() -> None:
    files = {name.replace("sha256.", "./sha256/").replace("/./", "/"): data
             for name, data in whole().items()}  # fmt: skip
    blob = BytesBlob(gzip.decompress(artifact_set(files)))
    assert manifest_of(blob, "image") == digest_of(manifest())


@pytest.mark.parametrize("main", [str(digest_of(manifest())), "1.0"])
def test_one_of_several_is_named_by_digest_or_tag(main) -> None:
    tagged = entry(manifest(), annotations={"software.ocm/tags": "latest,1.0"})
    index = {"manifests": [entry(LAYER), tagged], "annotations": {"software.ocm/main": main}}
    assert of(whole(**{"index.json": json.dumps(index).encode()})) == digest_of(manifest())


def test_the_older_form_of_the_index_has_no_media_types() -> None:
    untyped = entry(manifest())
    del untyped["mediaType"]
    files = whole()
    del files["index.json"], files["oci-layout"]
    files["artifact-set-descriptor.json"] = json.dumps({"manifests": [untyped]}).encode()
    assert of(files) == digest_of(manifest())


def test_the_parts_below_an_index_are_read_too() -> None:
    top = json.dumps(
        {"mediaType": media.OCI_INDEX, "manifests": [entry(manifest(), media.OCI_MANIFEST)]}
    ).encode()
    files = whole(**{"index.json": json.dumps({"manifests": [entry(top)]}).encode()})
    files[f"blobs/sha256.{digest_of(top).hex}"] = top
    assert of(files) == digest_of(top)
    files[f"blobs/sha256.{digest_of(LAYER).hex}"] = b"LAYER"
    with pytest.raises(DigestMismatchError):
        of(files)


@pytest.mark.parametrize("data", [CONFIG, LAYER, manifest()])
def test_S07_a_part_that_is_changed_or_missing_is_refused(data) -> None:
    name = f"blobs/sha256.{digest_of(data).hex}"
    with pytest.raises(DigestMismatchError):
        of(whole(**{name: data + b" "}))
    files = whole()
    del files[name]
    with pytest.raises(IntegrityError, match="missing"):
        of(files)


@pytest.mark.parametrize(
    "index",
    [
        None,
        b"[]",
        b"{",
        b'{"manifests": []}',
        b'{"manifests": [1]}',
        b'{"manifests": [{"digest": "x"}]}',
        b'{"manifests": [{}, {}]}',
        b'{"manifests": [{}, {}], "annotations": {"software.ocm/main": "1.0"}}',
        b" " * (4 * 1024 * 1024 + 1),
    ],
)
def test_an_index_that_says_nothing_is_refused(index) -> None:
    files = whole(**{"index.json": index})
    if index is None:
        del files["index.json"]
    with pytest.raises(IntegrityError, match="image has the digest of an OCI artifact, but is"):
        of(files)


@pytest.mark.parametrize("data", [b"", b"program", b"\x1f\x8b", gzip.compress(b"program", mtime=0)])
def test_other_content_is_refused(data) -> None:
    with pytest.raises(IntegrityError, match="but is none"):
        manifest_of(BytesBlob(data), "image")


def test_an_archive_that_can_not_be_honest_is_refused() -> None:
    with pytest.raises(UnsafeArchiveError, match="more than is allowed"):
        of(whole(), max_unpacked=1000)
    with pytest.raises(UnsafeArchiveError, match="plain file"):
        of(whole(**{"index.json": None}))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("index.json"))
    with pytest.raises(UnsafeArchiveError, match="twice"):
        manifest_of(BytesBlob(out.getvalue()), "image")


def test_a_set_that_was_cut_is_refused_wherever() -> None:
    data = gzip.decompress(artifact_set(whole()))
    end = data.rstrip(b"\0")
    for size in range(0, len(end), 97):
        with pytest.raises(OcmPkgError):
            manifest_of(BytesBlob(data[:size]), "image")
