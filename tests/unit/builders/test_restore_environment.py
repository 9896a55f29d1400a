"""The hook that gives child programs of a frozen plugin the environment that it was given."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from ocm_pkg.builders.pyinstaller import HOOKS, RUNTIME_HOOK

BUNDLE = "/bundle/_MEI1"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"LD_LIBRARY_PATH": BUNDLE}, {}),
        (
            {"LD_LIBRARY_PATH": f"{BUNDLE}:/lib", "LD_LIBRARY_PATH_ORIG": "/lib"},
            {"LD_LIBRARY_PATH": "/lib", "LD_LIBRARY_PATH_ORIG": "/lib"},
        ),
        ({"LD_LIBRARY_PATH": "/other"}, {"LD_LIBRARY_PATH": "/other"}),
        ({"_PYI_ARCHIVE_FILE": "x", "_MEIPASS2": "x", "PATH": "/bin"}, {"PATH": "/bin"}),
        ({"LIBPATH": BUNDLE}, {}),
        ({}, {}),
    ],
    ids=["removed", "restored", "not ours", "own", "other system", "nothing"],
)
def test_variables_of_the_bundle_are_gone(monkeypatch, before, after):
    monkeypatch.setattr("sys._MEIPASS", BUNDLE, raising=False)
    environ = dict(before)
    monkeypatch.setattr("os.environ", environ)
    runpy.run_path(str(Path(HOOKS, RUNTIME_HOOK)))
    assert environ == after
