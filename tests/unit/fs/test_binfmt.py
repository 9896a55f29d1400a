"""Which emulators the kernel knows, as its files say it."""

from __future__ import annotations

import pytest

from ocm_pkg.fs.binfmt import is_registered
from ocm_pkg.model.binary import elf_header

ENTRY = """\
enabled
interpreter /usr/bin/qemu-aarch64-static
flags: OCF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""
ARM64 = elf_header("arm64")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "register").touch(0o200)
    (tmp_path / "qemu-aarch64").write_text(ENTRY)
    return tmp_path


def test_a_registered_architecture_is_known(folder):
    assert is_registered(ARM64, folder)


@pytest.mark.parametrize("architecture", ["amd64", "riscv64", "arm"])
def test_another_architecture_is_not(folder, architecture):
    assert not is_registered(elf_header(architecture), folder)


def test_without_a_mask_every_bit_counts(folder):
    plain = "\n".join(line for line in ENTRY.splitlines() if not line.startswith("mask"))
    (folder / "qemu-aarch64").write_text(plain)
    assert is_registered(ARM64, folder)
    assert not is_registered(ARM64[:16] + b"\3" + ARM64[17:], folder)


@pytest.mark.parametrize(
    "text",
    [
        ENTRY.replace("enabled", "disabled"),
        ENTRY.replace("magic", "extension"),
        ENTRY.replace("7f45", "zz"),
        ENTRY.replace("offset 0", "offset 1"),
        ENTRY.replace("offset 0", "offset x"),
        ENTRY.replace("mask ff", "mask "),
        "",
    ],
)
def test_an_entry_that_does_not_apply_counts_for_nothing(folder, text):
    (folder / "qemu-aarch64").write_text(text)
    assert not is_registered(ARM64, folder)


def test_where_it_is_switched_off_or_absent_nothing_is_known(folder, tmp_path):
    (folder / "status").write_text("disabled\n")
    assert not is_registered(ARM64, folder)
    assert not is_registered(ARM64, tmp_path / "absent")
