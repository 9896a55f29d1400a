"""The label that says how a program is packed."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.descriptor import Resource
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.model.shape import LABEL, ShapeInfo, default_shape, is_compressed, label, shape_of
from tests.fakes.components import resource


def labelled(value) -> Resource:
    plain = resource().to_json()
    return Resource.model_validate({**plain, "labels": [{"name": LABEL, "value": value}]})


@pytest.mark.parametrize(
    ("info", "media_type"),
    [
        (ShapeInfo("file"), "application/octet-stream"),
        (ShapeInfo("file", glibc="2.36"), "application/octet-stream"),
        (ShapeInfo("launcher"), "application/octet-stream"),
        (ShapeInfo("dir", "hello/hello", "2.36"), "application/x-tar+gzip"),
    ],
)
def test_a_shape_is_read_as_it_was_written(info, media_type):
    assert label(info)["signing"] is True
    assert shape_of(labelled(label(info)["value"])) == info
    assert info.media_type == media_type


@pytest.mark.parametrize(
    ("media_type", "shape"),
    [
        (None, "file"),
        ("application/octet-stream", "file"),
        ("application/x-tar", "dir"),
        ("application/x-tar+gzip", "dir"),
    ],
)
def test_without_a_label_the_media_type_tells(media_type, shape):
    assert shape_of(resource(media_type=media_type)) == ShapeInfo(shape)


def test_other_labels_say_nothing_of_the_shape():
    plain = resource().to_json()
    labels = [{"name": "other", "value": "dir"}]
    assert shape_of(Resource.model_validate({**plain, "labels": labels})) == ShapeInfo("file")


@pytest.mark.parametrize(
    "value",
    [
        "file",
        {},
        {"formatVersion": 2, "shape": "file"},
        {"formatVersion": 1},
        {"formatVersion": 1, "shape": "zip"},
        {"formatVersion": 1, "shape": ["file"]},
        {"formatVersion": 1, "shape": "file", "more": 1},
        {"formatVersion": 1, "shape": "file", "program": "x"},
        {"formatVersion": 1, "shape": "dir"},
        {"formatVersion": 1, "shape": "dir", "program": "../x"},
        {"formatVersion": 1, "shape": "dir", "program": "/x"},
        {"formatVersion": 1, "shape": "dir", "program": "a//x"},
        {"formatVersion": 1, "shape": "dir", "program": ""},
        {"formatVersion": 1, "shape": "dir", "program": 1},
        {"formatVersion": 1, "shape": "dir", "program": "a\\x"},
        {"formatVersion": 1, "shape": "file", "glibc": None},
    ],
)
def test_a_label_that_is_not_understood_is_refused(value):
    with pytest.raises(InvalidDocumentError, match="demo"):
        shape_of(labelled(value))


def test_only_the_plain_tar_is_not_compressed():
    assert not is_compressed("application/x-tar")
    assert is_compressed("application/x-tar+gzip")
    assert is_compressed(None)


@pytest.mark.parametrize(
    ("builder", "linux", "windows", "darwin"),
    [
        ("pyinstaller", "launcher", "launcher", "file"),
        ("container", "launcher", "launcher", "file"),
        ("cx_freeze", "launcher", "launcher", "dir"),
        ("assemble", "launcher", "launcher", "dir"),
        ("command", "file", "file", "file"),
        ("prebuilt", "file", "file", "file"),
        ("third-party", "file", "file", "file"),
    ],
)
def test_what_is_made_of_python_is_a_launcher_where_there_is_one(builder, linux, windows, darwin):
    systems = ("linux", "windows", "darwin")
    shapes = [default_shape(builder, Platform(system, "amd64")) for system in systems]
    assert shapes == [linux, windows, darwin]


PROJECT = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build: {builder: pyinstaller, entry: a.py}
targets: [linux/amd64, darwin/arm64, {platform: linux/arm64, shape: dir},
  {platform: darwin/amd64, builder: assemble}]
"""


def shapes_of(text):
    return [target.shape for target in parse_project(text, name="x").targets]


def test_a_project_that_says_nothing_gets_the_shape_of_each_platform():
    assert shapes_of(PROJECT) == ["launcher", "file", "dir", "dir"]


def test_what_a_project_says_counts_for_all_targets_that_say_nothing():
    text = PROJECT.replace("entry: a.py}", "entry: a.py, shape: dir}")
    assert shapes_of(text) == ["dir"] * 4


@pytest.mark.parametrize("builder", ["cx_freeze", "assemble"])
def test_a_builder_of_folders_is_not_asked_for_a_file(builder):
    said = f"{{platform: linux/arm64, shape: file, builder: {builder}}}"
    text = PROJECT.replace("{platform: linux/arm64, shape: dir}", said)
    with pytest.raises(InvalidDocumentError, match=f"is no file with {builder}") as caught:
        parse_project(text, name="x")
    assert caught.value.hint == "write shape: dir"
