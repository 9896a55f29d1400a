"""The script that runs cx_Freeze: what it asks of it, and what it takes out of the result."""

from __future__ import annotations

import importlib.util
import json
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from ocm_pkg.builders import cxfreeze

HEADER = b"\xa7\r\r\n" + b"\x00\x00\x00\x00" + b"\x01\x02\x03\x04" + b"\x05\x06\x07\x08"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("freeze_with_cx", cxfreeze._SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_times_are_taken_out_of_bytecode_and_nothing_else(script, tmp_path):
    (tmp_path / "lib/pack").mkdir(parents=True)
    (tmp_path / "lib/pack/a.pyc").write_bytes(HEADER + b"code")
    (tmp_path / "lib/pack/a.txt").write_bytes(HEADER)
    script.clean(tmp_path)
    assert (tmp_path / "lib/pack/a.pyc").read_bytes() == HEADER[:4] + bytes(12) + b"code"
    assert (tmp_path / "lib/pack/a.txt").read_bytes() == HEADER


def test_a_library_depends_on_names_and_contents_alone(script, tmp_path):
    made = []
    for number, names in enumerate((("b.pyc", "a/RECORD"), ("a/RECORD", "b.pyc"))):
        folder = tmp_path / str(number) / "lib"
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / "library.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                info = zipfile.ZipInfo(name, (2000 + number, 1, 1, 0, 0, 0))
                archive.writestr(info, HEADER[:8] + bytes([number] * 8) if "pyc" in name else b"x")
        script.clean(folder.parent)
        made.append((folder / "library.zip").read_bytes())
    assert made[0] == made[1]
    with zipfile.ZipFile(tmp_path / "0/lib/library.zip") as archive:
        assert archive.namelist() == ["a/RECORD", "b.pyc"]
        assert archive.read("a/RECORD") == b"x"


def test_a_script_that_would_be_a_second_program_is_removed(script, tmp_path):
    folder = tmp_path / "lib/ctypes/macholib"
    folder.mkdir(parents=True)
    (folder / "fetch_macholib").touch()
    (folder / "dyld.pyc").write_bytes(HEADER)
    script.clean(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["dyld.pyc"]


class Constants:
    module_name = "BUILD_CONSTANTS"

    def __init__(self):
        self.values = {"BUILD_RELEASE_STRING": None, "__EXECUTABLES__": "hello"}


class Parser:
    def __init__(self):
        self.set = []

    def get_dependent_files(self, _filename):
        return {Path("/b/libz.so"), Path("/a/libz.so"), Path("/c/liba.so")}

    def set_rpath(self, _filename, rpath):
        self.set.append(rpath)


def test_cx_freeze_is_asked_for_what_the_settings_say(script, tmp_path, monkeypatch):
    asked = []

    class Freezer:
        def __init__(self, executables, constants, **options):
            asked.append((executables, options))
            self.constants, self.target = constants, Path(options["target_dir"])
            files = (Path("/src/b.py"), None, Path("/src/a.py"), Path("/src/b.py"))
            self.finder = SimpleNamespace(modules=[SimpleNamespace(file=file) for file in files])

        def freeze(self):
            self.target.mkdir()
            self.constants.create(self.target, [])

    fake = SimpleNamespace(
        ConstantsModule=Constants,
        Executable=lambda name, target_name: (name, target_name),
        Freezer=Freezer,
    )
    parser = type("Own", (Parser,), {})
    monkeypatch.setitem(sys.modules, "cx_Freeze", fake)
    monkeypatch.setitem(sys.modules, "cx_Freeze.dep_parser", SimpleNamespace(ELFParser=parser))
    settings = {
        "script": "s.py",
        "name": "hello",
        "paths": ["/src"],
        "includes": ["a"],
        "excludes": ["b"],
        "target": str(tmp_path / "made"),
        "taken": str(tmp_path / "taken.json"),
    }
    (tmp_path / "x.json").write_text(json.dumps(settings))
    monkeypatch.setattr(sys, "argv", ["x", str(tmp_path / "x.json")])
    script.main()
    ((executables, options),) = asked
    assert executables == [("s.py", "hello")]
    assert (options["includes"], options["excludes"]) == (["a"], ["b"])
    assert (options["path"][0], options["replace_paths"]) == ("/src", [("*", "")])
    assert json.loads((tmp_path / "taken.json").read_bytes()) == ["/src/a.py", "/src/b.py"]
    written = (tmp_path / "made/BUILD_CONSTANTS.py").read_text()
    assert "BUILD_TIMESTAMP = ''\n" in written
    assert "BUILD_HOST = ''\n" in written
    assert "__EXECUTABLES__ = 'hello'\n" in written
    one = parser()
    names = [str(path) for path in one.get_dependent_files("x")]
    assert names == ["/c/liba.so", "/a/libz.so", "/b/libz.so"]
    one.set_rpath("x", "$ORIGIN/b:$ORIGIN/a")
    assert one.set == ["$ORIGIN/a:$ORIGIN/b"]
