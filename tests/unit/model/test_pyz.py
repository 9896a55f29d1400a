"""The modules of a PYZ archive are found without ``marshal``, or not at all."""

from __future__ import annotations

import marshal
import struct
import zlib

import pytest

from ocm_pkg.model.onefile import Entry, chunks_of
from ocm_pkg.model.pyz import modules_of
from tests.fakes.elffiles import modules_archive

MODULES = {"hello": b"code of hello", "hello.größe": b"other code", "n" * 300: b"long"}


def archive(data, **members):
    return Entry("PYZ.pyz", b"z", **{"start": 3, "packed": len(data), "unpacked": 0} | members)


def found(data, is_packed=False):
    inside = b"abc" + data
    return {
        entry.name: b"".join(chunks_of(inside, entry))
        for entry in modules_of(inside, archive(data, is_packed=is_packed))
    }


@pytest.mark.parametrize("version", [0, 1, 2, 4])
def test_every_module_is_found_whatever_the_version_of_the_format(version):
    assert found(modules_archive(MODULES, version)) == MODULES


def test_an_archive_that_is_compressed_or_none_has_no_modules():
    data = modules_archive(MODULES)
    assert found(data, is_packed=True) == {}
    assert found(data[:11]) == {}
    assert found(b"PYX" + data[3:]) == {}
    assert found(data[:8] + struct.pack("!i", -1) + data[12:]) == {}
    assert found(data[:-1]) == {}


def with_table(table):
    return b"PYZ\0" + bytes(4) + struct.pack("!i", 12) + table


@pytest.mark.parametrize(
    "table",
    [
        marshal.dumps({"a": 1}),
        marshal.dumps([1.5]),
        marshal.dumps(7),
        marshal.dumps([[[[[1]]]]]),
        marshal.dumps(["a", (1, 2)]),
        marshal.dumps([("a", (1, -2, 3))]),
        b"\xdb\x01\0\0\0r\0\0\0\0",
        b"[\x01\0\0\0r\x09\0\0\0",
        b"[\xff\xff\xff\x7f",
        b"[\xff\xff\xff\xff",
        b"z\x02\xff\xff",
        b"u\xff\xff\xff\xff",
        b"[" + bytes(5 * 1024 * 1024),
        b"",
    ],
    ids=[
        *("dict", "float", "number", "deep", "row", "negative", "itself", "unknown", "long"),
        *("below", "not-utf8", "short", "large", "empty"),
    ],
)
def test_a_table_that_is_not_understood_has_no_modules(table):
    assert found(with_table(table)) == {}


def test_modules_up_to_a_row_that_is_not_understood_are_given():
    code = zlib.compress(b"code")
    table = marshal.dumps([("a", (0, 0, 0)), "b"])
    assert found(with_table(table) + code) == {"a": b""}
