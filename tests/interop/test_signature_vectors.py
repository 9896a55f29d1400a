"""Signatures that the reference tools made, and tampered ones, against what each must give.

The small set in ``tests/vectors`` always; the whole one where ``../shared/vectors`` is.
"""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.model.published import Moving
from ocm_pkg.services.sign import sign
from ocm_pkg.services.verify import SKIPPED, Verification, inspect
from ocm_pkg.signing.form import Request
from ocm_pkg.signing.keys import load_private_key
from ocm_pkg.signing.trust import TrustPolicy
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SMALL = Path(__file__).parents[1] / "vectors"
WHOLE = Path(__file__).parents[3] / "shared/vectors"
KEYS = SMALL / "keys"
KINDS = {"signed", "tampered", "crafted-signature"}

KEY_A = TrustPolicy.from_files([KEYS / "test-key-a.public.pem"])
KEY_B = TrustPolicy.from_files([KEYS / "test-key-b.public.pem"])
ROOT = TrustPolicy.from_files([], [KEYS / "test-root-ca.cert.pem"])
OTHER_ROOT = TrustPolicy.from_files([], [KEYS / "test-other-root-ca.cert.pem"])
NOBODY = TrustPolicy()


def read_vectors() -> list:
    folder = WHOLE if WHOLE.is_dir() else SMALL
    manifest = folder / ("MANIFEST.json" if folder == WHOLE else "signatures.json")
    vectors = json.loads(manifest.read_text())["vectors"]
    chosen = [one for one in vectors if one["kind"] in KINDS and one.get("algorithm") != "GPG"]
    return [pytest.param(folder / one["ctf"], one, id=one["id"]) for one in chosen]


VECTORS = read_vectors()


def result(ctf: Path, vector: dict, trust: TrustPolicy, **options) -> Verification | int:
    """Return what was found, or the exit code where the descriptor cannot be read."""
    component, _, version = vector["component_version"].rpartition(":")
    repository = ComponentRepository(CTFStore(ctf))
    try:
        descriptor = repository.get(component, version)
    except OcmPkgError as error:
        return error.exit_code
    with ThreadPoolExecutor(2) as executor:
        return inspect(
            repository=repository,
            descriptor=descriptor,
            trust=trust,
            now=NOW,
            moving=Moving(executor),
            **options,
        )


def exit_code(found: Verification | int) -> int:
    if isinstance(found, int):
        return found
    assert (found.result == "ok") == (found.error is None)
    return found.error.exit_code if found.error else 0


def run(ctf: Path, vector: dict, trust: TrustPolicy, **options) -> int:
    return exit_code(result(ctf, vector, trust, **options))


def is_pem(vector: dict) -> bool:
    return "pem" in vector["id"]


def select(*kinds: str, pem: bool | None = None) -> list:
    return [
        one
        for one in VECTORS
        if one.values[1]["kind"] in kinds and pem in (None, is_pem(one.values[1]))
    ]


@pytest.mark.parametrize(("ctf", "vector"), select("signed", "crafted-signature", pem=False))
def test_a_plain_signature_is_accepted_with_its_key_and_no_other(ctf, vector) -> None:
    external = vector["id"].endswith("-external")
    assert run(ctf, vector, KEY_A) == (5 if external else 0)
    assert run(ctf, vector, KEY_A, level="signature") == 0
    assert run(ctf, vector, KEY_B) == 4
    assert run(ctf, vector, NOBODY) == 4
    skipping = result(ctf, vector, KEY_A, skip_external=True)
    assert exit_code(skipping) == 0
    assert isinstance(skipping, Verification)
    assert any(check.result == SKIPPED for check in skipping.checks) is external


@pytest.mark.parametrize(("ctf", "vector"), select("signed", "crafted-signature", pem=True))
def test_a_signature_with_certificates_is_accepted_with_its_root_and_no_other(ctf, vector) -> None:
    bad = ("expired", "serverauth", "key-mismatch", "leaf-only")
    expected = 4 if vector["id"].endswith(bad) else 0
    assert run(ctf, vector, ROOT) == expected
    assert run(ctf, vector, OTHER_ROOT) == 4
    assert run(ctf, vector, KEY_A) == 4
    assert run(ctf, vector, NOBODY) == 4


@pytest.mark.parametrize(("ctf", "vector"), select("tampered"))
def test_a_tampered_component_version_is_refused_and_a_harmless_change_is_not(ctf, vector) -> None:
    name = vector["id"].removeprefix("tampered/")
    found = run(ctf, vector, KEY_A)
    if name == "signature-uppercase-hex":
        assert found == 4
    elif name.startswith("blob-"):
        assert found == 4
        assert run(ctf, vector, KEY_A, level="signature") == 0
    elif "verify ok" in vector["expect"]:
        assert found == 0
    else:
        assert found in ({2, 4} if name == "signature-empty" else {4})
        assert run(ctf, vector, KEY_A, level="signature") in {2, 4}
    if name == "other-key":
        assert run(ctf, vector, KEY_B) == 0


def test_the_small_set_is_there() -> None:
    listed = json.loads((SMALL / "signatures.json").read_text())["vectors"]
    assert len(listed) > 15
    assert all((SMALL / one["ctf"] / "artifact-index.json").is_file() for one in listed)


def test_content_is_reported_with_its_digest_and_each_resource_once() -> None:
    ctf = SMALL / "signed/v2-pss-plain/ctf"
    found = result(ctf, {"component_version": "ocm.test/open/plugins/demo:1.0.0"}, KEY_A)
    assert isinstance(found, Verification)
    names = [check.check for check in found.checks]
    assert len(names) == len(set(names)) > 2
    assert all("sha256:" in check.detail for check in found.checks)


def components() -> list:
    root = WHOLE if WHOLE.is_dir() else SMALL
    return [
        pytest.param(index.parent, id=str(index.parents[1].relative_to(root)))
        for index in sorted(root.glob("components/*/*/ctf/artifact-index.json"))
    ]


@pytest.mark.parametrize("ctf", components())
def test_what_the_reference_tools_wrote_can_be_signed_and_verified(ctf, tmp_path) -> None:
    copy = Path(shutil.copytree(ctf, tmp_path / "ctf"))
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    entries = json.loads((ctf / "artifact-index.json").read_text())["artifacts"]
    repository = ComponentRepository(CTFStore(copy))
    key = load_private_key(KEYS / "test-key-a.private.pem")
    for component in {
        entry["repository"].removeprefix("component-descriptors/")
        for entry in entries
        if entry.get("tag")
    }:
        for version in repository.versions(component):
            descriptor = repository.get(component, version)
            signed = sign(
                repository=repository, descriptor=descriptor, key=key, now=NOW, request=Request()
            )
            expected = "v3" if signed.form.both_tools else "v4alpha1"
            found = signed.signature.digest.normalisation_algorithm
            assert found == f"jsonNormalisation/{expected}"
            vector = {"component_version": f"{component}:{version}"}
            assert run(copy, vector, KEY_A, skip_external=True) == 0
            assert run(copy, vector, KEY_B, skip_external=True) == 4
