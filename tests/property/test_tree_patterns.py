from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.tree import TreeSelection, write_tree

PATTERN_TEXT = st.text(alphabet="ab*?[]!^-\\/.~&|{}()+$ü\n", max_size=12)
NAME = st.text(alphabet="abc.-_ ü[]*", min_size=1, max_size=8).filter(
    lambda name: name not in {".", ".."}
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for name in ("a", "b", "ab/a.b", "ab/cd/b"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def names(root: Path, **selection: tuple[str, ...]) -> list[str]:
    out = io.BytesIO()
    write_tree(root, TreeSelection(**selection), out)  # type: ignore[arg-type]
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        return archive.getnames()


@given(pattern=PATTERN_TEXT)
@settings(derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_pattern_or_one_named_error(tree: Path, pattern: str) -> None:
    try:
        left = names(tree, exclude=(pattern,))
        chosen = names(tree, include=(pattern,))
    except OcmPkgError as error:
        assert error.code == "E230"  # noqa: PT017 - the text decides whether there is an error
    else:
        assert set(left) <= set(names(tree))
        assert set(chosen) <= set(names(tree))


@given(files=st.dictionaries(NAME, st.binary(max_size=2000), max_size=6))
@settings(derandomize=True, max_examples=60)
def test_what_is_packed_is_what_comes_out_in_one_order(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        out = io.BytesIO()
        write_tree(Path(folder), TreeSelection(), out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        found = {member.name: archive.extractfile(member) for member in archive}
        contents = {name: stream.read() for name, stream in found.items() if stream is not None}
    assert contents == files
    assert list(contents) == sorted(files, key=str.encode)
