"""Which platform a header is for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ocm_pkg.errors import WrongBinaryError
from ocm_pkg.model.binary import HEADER_BYTES, check_header, platforms_of, sniff_platform
from ocm_pkg.model.platform import Platform
from tests.fakes.binaries import elf, macho, pe, universal

AMD64, ARM64 = 0x01000007, 0x0100000C


@pytest.mark.parametrize(
    ("header", "platform"),
    [
        (elf(), "linux/amd64"),
        (elf(kind=2), "linux/amd64"),
        (elf(system=3), "linux/amd64"),
        (elf(183), "linux/arm64"),
        (elf(3, width=1), "linux/386"),
        (elf(40, width=1), "linux/arm"),
        (elf(243), "linux/riscv64"),
        (elf(21), "linux/ppc64le"),
        (elf(21, data=2), "linux/ppc64"),
        (elf(22, data=2), "linux/s390x"),
        (elf(258), "linux/loong64"),
        (elf(8), "linux/mips64le"),
        (elf(system=9), "freebsd/amd64"),
        (elf(system=2), "netbsd/amd64"),
        (elf(system=12), "openbsd/amd64"),
        (pe(), "windows/amd64"),
        (pe(0xAA64), "windows/arm64"),
        (pe(0x14C), "windows/386"),
        (macho(), "darwin/arm64"),
        (macho(AMD64), "darwin/amd64"),
        (universal(AMD64, ARM64), "darwin/amd64"),
    ],
)
def test_a_header_names_its_platform(header, platform):
    assert sniff_platform(header) == Platform.parse(platform)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"#!/bin/sh\n",
        b"\x7fEL",
        b"\x7fELF\x02",
        elf(machine=9999),
        elf(kind=1),
        elf(kind=4),
        elf(width=1),
        elf(data=2),
        elf(system=77),
        elf()[:17],
        b"MZ",
        b"MZ" + bytes(100),
        pe(flags=0x2022),
        pe(flags=0),
        pe(machine=1),
        pe()[:0x82],
        b"MZ" + bytes(0x3A) + b"\xff\xff\xff\xff",
        macho(kind=6),
        macho(machine=1),
        macho()[:9],
        universal(1, 2),
        b"\xca\xfe\xba\xbe\x00\x00\x00\x34" + bytes(64),
        universal(AMD64)[:12],
        b"plain text that is longer than a header" * 4,
    ],
)
def test_what_is_no_program_has_no_platform(header):
    assert sniff_platform(header) is None
    assert platforms_of(header) == ()


def test_a_universal_program_is_for_each_of_its_platforms():
    header = universal(AMD64, ARM64)
    arm = Platform("darwin", "arm64")
    assert sniff_platform(header, arm) == arm
    assert sniff_platform(header, Platform("linux", "amd64")) == Platform("darwin", "amd64")
    assert platforms_of(header) == (Platform("darwin", "amd64"), arm)


def test_a_wanted_platform_does_not_change_what_a_header_says():
    assert sniff_platform(elf(), Platform("linux", "arm64")) == Platform("linux", "amd64")


def test_the_python_that_runs_this_is_recognised():
    with Path(sys.executable).resolve().open("rb") as stream:
        assert sniff_platform(stream.read(HEADER_BYTES)) is not None


def test_a_program_for_elsewhere_and_no_program_are_refused_by_name():
    linux, windows = Platform("linux", "amd64"), Platform("windows", "amd64")
    check_header(b"#!/bin/sh\n", linux, "it")
    with pytest.raises(WrongBinaryError, match="it is no program, not for windows/amd64"):
        check_header(b"#!/bin/sh\n", windows, "it")
    check_header(pe(), windows, "it")
    with pytest.raises(WrongBinaryError, match="it is for windows/amd64, not for linux/amd64"):
        check_header(pe(), linux, "it")
