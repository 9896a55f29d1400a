from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.inputs import Workplace
from ocm_pkg.model.constructor import parse_constructor
from ocm_pkg.model.normalise import normalise
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.services.construct import construct
from ocm_pkg.services.download import download
from ocm_pkg.services.transfer import transfer
from ocm_pkg.store.provider import BuiltinProvider

VECTORS = Path(__file__).parents[3] / "shared/vectors"
pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason="needs ../shared/vectors")


def entries() -> list[dict[str, Any]]:
    path = VECTORS / "MANIFEST.json"
    return json.loads(path.read_text())["vectors"] if path.is_file() else []


def copies() -> list[Any]:
    kinds = ("components/", "extra/", "signed/", "archives/")
    return [
        pytest.param(entry, id=entry["id"])
        for entry in entries()
        if "ctf" in entry and entry["id"].startswith(kinds)
    ]


@pytest.mark.parametrize("entry", copies())
def test_what_the_reference_made_is_copied_byte_for_byte(
    entry: dict[str, Any], tmp_path: Path
) -> None:
    whole = entry.get("component_version") or f"{entry['component']}:{entry['version']}"
    name, _, version = whole.partition(":")
    source = BuiltinProvider().open(RepositorySpec.parse(str(VECTORS / entry["ctf"])))
    destination = BuiltinProvider().open(RepositorySpec.parse(str(tmp_path / "ctf")), create=True)
    arguments = {"source": source, "destination": destination, "repository": "ctf"}
    assert transfer(name, version, **arguments)[-1].written
    before, after = source.get(name, version), destination.get(name, version)
    assert before.encoded == after.encoded
    assert not transfer(name, version, **arguments)[-1].written
    for one in after.component.resources:
        if one.access.is_local_blob:
            identity = {**one.identity, "version": one.version}
            done = download(name, version, identity, repository=destination, output=tmp_path / "f")
            assert done.path.is_file()


CONSTRUCTED = ("buildmeta", "identity", "labels", "plugin", "references", "reflabels", "unicode")


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_a_constructor_gives_what_the_reference_makes_of_it(name: str, tmp_path: Path) -> None:
    folder = VECTORS / "inputs" / name
    constructor = parse_constructor(
        (folder / "constructor.yaml").read_bytes(), name="constructor.yaml", variables={}
    )
    made = construct(constructor, Workplace(folder, tmp_path))
    recorded = VECTORS / "components" / name / "v2/normalised/jsonNormalisation-v4alpha1.txt"
    assert normalise(made[-1].descriptor, "jsonNormalisation/v4alpha1") == recorded.read_bytes()


def checks() -> list[Any]:
    return [
        pytest.param(entry, id=entry["id"])
        for entry in entries()
        if entry["kind"] == "constructor-check"
    ]


@pytest.mark.parametrize("entry", checks())
def test_a_constructor_is_refused_where_both_reference_tools_refuse_it(
    entry: dict[str, Any], tmp_path: Path
) -> None:
    data = (VECTORS / entry["file"]).read_bytes()
    behaviour = entry["reference_behaviour"]
    if all(said == "ok" for said in behaviour.values()):
        constructor = parse_constructor(data, name="c.yaml", variables={})
        assert len(construct(constructor, Workplace(tmp_path, tmp_path))) == 1
        return
    with pytest.raises(OcmPkgError) as caught:
        parse_constructor(data, name="c.yaml", variables={})
    assert (caught.value.exit_code, str(caught.value.at)[:7]) == (2, "c.yaml:")
