"""What is known of the tools before anything is installed or built."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ocm_pkg.builders.interpreter import CX_FREEZE, Interpreters
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import Target

FOUND = {
    "python": "3.11.7",
    "python-digest": "sha256:aa",
    "libpython-digest": None,
    "python-zlib": "1.2.13",
    "pyinstaller": "6.22.3",
    "pyinstaller-hooks-contrib": "2026.9",
    "cx_freeze": None,
    "ocm_pkg": True,
}
PLAIN = Target(Platform("linux", "amd64"), "pyinstaller")


@pytest.fixture
def interpreters(tmp_path, monkeypatch):
    monkeypatch.setattr(Interpreters, "_probe", lambda _self, _program: FOUND)
    return Interpreters("/usr/bin/python3", tmp_path / "cache", {})


def test_of_a_running_python_everything_is_known(interpreters):
    assert interpreters.known(PLAIN) == {
        "python": "3.11.7",
        "python-digest": "sha256:aa",
        "python-zlib": "1.2.13",
        "pyinstaller": "6.22.3",
        "pyinstaller-hooks-contrib": "2026.9",
    }
    other = replace(interpreters, freezer=CX_FREEZE)
    assert "cx_freeze" not in other.known(PLAIN)


def test_with_requirements_only_the_python_is_known(interpreters):
    known = interpreters.known(replace(PLAIN, requirements="a.lock"))
    assert set(known) == {"python", "python-digest", "python-zlib"}
