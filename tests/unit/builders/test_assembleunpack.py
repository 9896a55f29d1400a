"""Wheels are unpacked if they are what they say, and refused before anything leads outside."""

from __future__ import annotations

import io
import zipfile

import pytest

from ocm_pkg.builders.assembleunpack import WheelLimits, unpack_wheel
from ocm_pkg.errors import BuildError, UnsafeArchiveError
from tests.fakes.trees import snapshot
from tests.fakes.wheels import FILES, INFORMATION, record_of, wheel

BOMB = {"demo/zeros": bytes(100_000)}


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "a/site"
    folder.mkdir(parents=True)
    return folder


def names_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_every_file_of_a_wheel_is_unpacked(site):
    unpack_wheel(wheel(), site, name="demo.whl")
    assert names_in(site) == {*FILES, f"{INFORMATION}/RECORD"}
    assert (site / "demo/data.txt").read_bytes() == b"data\n"


def test_of_the_data_folder_only_packages_are_unpacked(site):
    extra = {
        "demo-1.0.data/purelib/one.py": b"1",
        "demo-1.0.data/platlib/two.py": b"2",
        "demo-1.0.data/scripts/tool": b"#!python",
        "demo-1.0.data/data/etc/x": b"x",
    }
    unpack_wheel(wheel(extra=extra), site, name="demo.whl")
    assert names_in(site) == {*FILES, f"{INFORMATION}/RECORD", "one.py", "two.py"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../outside", id="parent"),
        pytest.param("demo/../../outside", id="parent inside"),
        pytest.param("/outside", id="absolute"),
        pytest.param("demo//x", id="empty part"),
        pytest.param("demo/./x", id="dot"),
        pytest.param("demo\\..\\x", id="backslash"),
        pytest.param("C:x", id="drive"),
        pytest.param("demo/\x1b[2J", id="control"),
        pytest.param("demo-1.0.data/purelib/../../../outside", id="data"),
        pytest.param("demo/" + 1000 * "x", id="long"),
    ],
)
def test_a_name_that_leads_outside_is_refused_and_nothing_is_written(site, name):
    before = snapshot(site.parent)
    with pytest.raises(UnsafeArchiveError, match="no name for a file inside"):
        unpack_wheel(wheel(extra={name: b"x"}), site, name="demo.whl")
    assert snapshot(site.parent) == before


def test_a_link_is_refused(site):
    bad = wheel(extra={"demo/link": b"/etc/passwd"}, links=("demo/link",))
    with pytest.raises(UnsafeArchiveError, match="link"):
        unpack_wheel(bad, site, name="demo.whl")
    assert names_in(site) == set()


def test_a_name_that_is_there_twice_is_refused(site):
    stream = wheel()
    with zipfile.ZipFile(stream, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("demo/data.txt", b"other")
    stream.seek(0)
    with pytest.raises(UnsafeArchiveError, match="twice"):
        unpack_wheel(stream, site, name="demo.whl")


def test_content_that_record_does_not_vouch_for_is_refused(site):
    files = {**FILES, "demo/data.txt": b"changed\n"}
    with pytest.raises(UnsafeArchiveError, match=r"demo/data.txt is not what RECORD says"):
        unpack_wheel(wheel(files, record=record_of(FILES)), site, name="demo.whl")


def test_a_file_that_is_not_in_record_is_refused(site):
    bad = wheel(extra={"demo/more.py": b""}, record=record_of(FILES))
    with pytest.raises(UnsafeArchiveError, match=r"demo/more.py is not what RECORD says"):
        unpack_wheel(bad, site, name="demo.whl")


def test_an_archive_without_record_is_refused(site):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("demo.py", b"")
    out.seek(0)
    with pytest.raises(UnsafeArchiveError, match="0 RECORD"):
        unpack_wheel(out, site, name="demo.whl")


@pytest.mark.parametrize(
    ("limits", "fits"),
    [
        pytest.param(WheelLimits(files=5), True, id="files"),
        pytest.param(WheelLimits(files=4), False, id="too many files"),
        pytest.param(WheelLimits(content=102_000), True, id="bytes"),
        pytest.param(WheelLimits(content=100_000), False, id="too many bytes"),
    ],
)
def test_a_wheel_within_the_limits_is_unpacked_and_another_refused(site, limits, fits):
    if fits:
        unpack_wheel(wheel(extra=BOMB), site, name="demo.whl", limits=limits)
        assert "demo/zeros" in names_in(site)
        return
    with pytest.raises(UnsafeArchiveError, match="too much"):
        unpack_wheel(wheel(extra=BOMB), site, name="demo.whl", limits=limits)
    assert names_in(site) == set()


def test_an_archive_that_says_less_than_it_unpacks_to_is_refused(site):
    data = bytearray(wheel(extra=BOMB).getvalue())
    said, lie = len(BOMB["demo/zeros"]).to_bytes(4, "little"), (10).to_bytes(4, "little")
    assert data.count(said) == 2
    with pytest.raises(UnsafeArchiveError):
        unpack_wheel(io.BytesIO(bytes(data.replace(said, lie))), site, name="demo.whl")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip at all"])
def test_what_is_no_zip_is_refused(site, data):
    with pytest.raises(UnsafeArchiveError, match="is no wheel"):
        unpack_wheel(io.BytesIO(data), site, name="demo.whl")


def test_damaged_content_is_refused(site):
    data = wheel().getvalue().replace(b"demo/data.txt", b"demo/dat\xff.txt", 1)
    with pytest.raises(UnsafeArchiveError):
        unpack_wheel(io.BytesIO(data), site, name="demo.whl")


def test_two_wheels_may_have_the_same_file_but_not_with_other_content(site):
    unpack_wheel(wheel(), site, name="one.whl")
    unpack_wheel(wheel(), site, name="two.whl")
    with pytest.raises(BuildError, match=r"three.whl has demo/data.txt, and another wheel"):
        unpack_wheel(wheel({**FILES, "demo/data.txt": b"else"}), site, name="three.whl")


def test_a_file_where_another_wheel_has_a_folder_is_refused(site):
    unpack_wheel(wheel(), site, name="one.whl")
    with pytest.raises(BuildError, match="another wheel"):
        unpack_wheel(wheel({"demo": b"file"}), site, name="two.whl")
