"""Locks are read pin by pin, and what is not locked is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

import ocm_pkg.builders
from ocm_pkg.builders.assemblelock import normalised, read_pins
from ocm_pkg.errors import ConfigError

A, B = "a" * 64, "b" * 64
FOLDER = Path(ocm_pkg.builders.__file__).parent


def test_pins_have_names_versions_conditions_and_hashes():
    lock = f"""\
# a comment
--no-binary some-option
Typing_Extensions==4.16.0 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
    # via pydantic
win[extra]==1.0 ; sys_platform == 'win32' and python_version >= "3.11" \\
    --hash=sha256:{A}  # why
last==2.0 --hash=sha256:{B}"""
    one, two, three = read_pins(lock.encode(), name="x.lock")
    assert (one.name, one.version, one.marker) == ("typing-extensions", "4.16.0", None)
    assert one.hashes == (f"sha256:{A}", f"sha256:{B}")
    assert two.marker == "sys_platform == 'win32' and python_version >= \"3.11\""
    assert two.line == f"win==1.0 --hash=sha256:{A}"
    assert three.name == "last"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("demo==1.0", "has no hash"),
        ("demo==1.0 --hash=md5:" + 32 * "0", "is no exact version"),
        (f"demo>=1.0 --hash=sha256:{A}", "is no exact version"),
        (f"demo @ file:///x.whl --hash=sha256:{A}", "is no exact version"),
        (f"demo --hash=sha256:{A}", "is no exact version"),
        ("demo==1.0 \\", "has no hash"),
    ],
)
def test_what_is_not_pinned_is_refused_with_its_line(line, why):
    with pytest.raises(ConfigError, match=why) as caught:
        read_pins(f"\n\n{line}".encode(), name="x.lock")
    assert caught.value.at == "x.lock:3"


def test_an_empty_lock_has_no_pins():
    assert read_pins(b"# nothing\n\n", name="x.lock") == ()


def test_names_are_compared_without_case_and_separators():
    assert normalised("A_b.-C") == "a-b-c"


def test_the_interpreters_are_those_that_cx_freeze_takes():
    (own,) = read_pins((FOLDER / "assemble.lock").read_bytes(), name="assemble.lock")
    others = read_pins((FOLDER / "cx_freeze.lock").read_bytes(), name="cx_freeze.lock")
    (same,) = [pin for pin in others if pin.name == "freeze-core"]
    assert (own.name, own.version) == (same.name, same.version)
    assert set(own.hashes) == set(same.hashes)
