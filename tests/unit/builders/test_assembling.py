"""Which modules go into an assembled plugin, and which of them it lacks."""

from __future__ import annotations

import ast
import importlib.util
import json
import marshal
import sys
import sysconfig

import pytest

from ocm_pkg.builders.assembling import __main__ as assembling
from ocm_pkg.builders.assembling.imports import Conditions, Edge, Reader
from ocm_pkg.builders.assembling.modules import Modules, Places

SUFFIXES = (".cpython-311-aarch64-linux-gnu.so", ".abi3.so", ".so")


@pytest.fixture
def make(tmp_path):
    """Return a function that writes files and says which modules a script needs."""
    folders = {name: tmp_path / name for name in ("own", "library", "base", "site")}
    for folder in folders.values():
        folder.mkdir()

    def modules(files, script="import one\n", *, excludes=(), system="linux"):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        (tmp_path / "script.py").write_text(script)
        places = Places(
            [folders["own"]],
            *(folders[name] for name in ("library", "base", "site")),
            frozen={"sys", "core", "core.part"},
            suffixes=SUFFIXES,
        )
        made = Modules(places, Conditions(system), excludes=frozenset(excludes))
        made.add_script(tmp_path / "script.py", Conditions(system, main=True))
        return made

    return modules


def wheel_files(name, files, requires=()):
    information = f"site/{name}-1.0.dist-info"
    lines = [f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {each}" for each in requires)]
    metadata = "\n".join(lines) + "\n"
    paths = [*files, f"{name}-1.0.dist-info/METADATA", f"{name}-1.0.dist-info/RECORD"]
    return {
        **{f"site/{path}": text for path, text in files.items()},
        f"{information}/METADATA": metadata,
        f"{information}/RECORD": "".join(f"{path},,\n" for path in paths),
    }


def edges(source, *, own=False, package="pack.inner", system="linux", main=False):
    conditions = Conditions(system, (3, 11), main=main)
    return Reader(package, conditions, own).read(source.encode())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a.b, c", {("a.b", True), ("c", True)}),
        ("from a import b", {("a", True), ("a.b", True)}),
        ("from . import b", {("pack.inner", True), ("pack.inner.b", True)}),
        ("from ..x import b", {("pack.x", True), ("pack.x.b", True)}),
        ("from ....x import b", set()),
        ("try:\n import a\nexcept ImportError:\n import b", {("a", False), ("b", False)}),
        ("try:\n import a\nexcept (X, e.ModuleNotFoundError): pass", {("a", False)}),
        ("try:\n import a\nexcept: pass", {("a", False)}),
        ("try:\n import a\nexcept KeyError: pass\nfinally:\n import b", {("a", True), ("b", True)}),
        ("def f():\n import a", {("a", False)}),
        ("class C:\n import a", {("a", True)}),
        ("async def f():\n import a", {("a", False)}),
        ("with suppress(ImportError):\n import a", {("a", False)}),
        ("with open(x):\n import a", {("a", True)}),
        ("for x in y:\n import a", {("a", True)}),
        ("match x:\n case 1:\n  import a", {("a", True)}),
        ("if unknown:\n import a\nelse:\n import b", {("a", False), ("b", False)}),
        ("x = __import__('a')", {("a", True)}),
        ("importlib.import_module('a.b')", {("a.b", True)}),
        ("import_module('.b', 'a')", set()),
        ("import_module(name)", set()),
        ("lazy = lambda: import_module('a')", {("a", True)}),
        ("if TYPE_CHECKING:\n import a", set()),
        ("if typing.TYPE_CHECKING:\n import a\nelse:\n import b", {("b", True)}),
        ("if not TYPE_CHECKING:\n import a", {("a", True)}),
        ("if __name__ == '__main__':\n import a", set()),
        ("if sys.platform == 'win32':\n import a\nelse:\n import b", {("b", True)}),
        ("if _sys.platform != 'win32':\n import a", {("a", True)}),
        ("if sys.platform in ('win32', 'cygwin'):\n import a", set()),
        ("if sys.platform not in {'win32'}:\n import a", {("a", True)}),
        ("if sys.platform.startswith('linux'):\n import a", {("a", True)}),
        ("if sys.platform.startswith(x):\n import a", {("a", False)}),
        ("if os.name == 'nt':\n import a", set()),
        ("if sys.version_info >= (3, 12):\n import a\nelse:\n import b", {("b", True)}),
        ("if sys.version_info < (3, 11):\n import a", set()),
        ("if sys.version_info >= (3, 11, 4):\n import a", {("a", False)}),
        ("if sys.version_info[0] == 3:\n import a", {("a", True)}),
        ("if sys.version_info > 3:\n import a", {("a", False)}),
        ("if sys.version_info >= 3:\n import a", {("a", False)}),
        ("if sys.version_info[1] > x:\n import a", {("a", False)}),
        ("if x and sys.platform == 'win32':\n import a", set()),
        ("if x or sys.platform == 'win32':\n import a", {("a", False)}),
        ("if sys.platform == 'linux' or x:\n import a", {("a", True)}),
    ],
)
def test_an_import_counts_as_far_as_it_happens_on_the_target(source, expected):
    assert {(edge.name, edge.certain) for edge in edges(source)} == expected


def test_functions_of_the_plugin_itself_are_called():
    assert edges("def f():\n import a", own=True) == [Edge("a", certain=True)]


def test_a_script_runs_what_it_does_as_the_program():
    assert edges("if __name__ == '__main__':\n import a", main=True) == [Edge("a", certain=True)]


def test_other_systems_are_asked_for_too():
    assert edges("if sys.platform == 'darwin':\n import a", system="darwin")


def test_an_unknown_comparison_is_left_open():
    test = ast.parse("sys.platform == x", mode="eval").body
    assert Conditions("linux").truth(test) is None


def test_imports_are_followed_through_all_places(make):
    found = make(
        {
            "own/one/__init__.py": "from . import two\n",
            "own/one/two.py": "import lib\n",
            "own/one/unused.py": "",
            "library/lib.py": "import _native\n",
            "base/_native.cpython-311-aarch64-linux-gnu.so": b"",
        }
    )
    assert set(found.found) == {"one", "one.two", "lib", "_native"}
    assert [found.found[name].origin for name in ("one", "lib", "_native")] == [
        *("own", "library", "base")
    ]
    assert found.missing == {}


def test_what_is_missing_is_named_with_one_that_imports_it(make):
    found = make({"own/one.py": "import no.such\ndef f():\n    import later\n"})
    assert found.missing == {"no": "one", "later": "one"}


def test_what_may_be_missing_is_not_named(make):
    files = {"library/lib.py": "def f():\n    import a\n", "own/one.py": "import lib\n"}
    text = "from one import name\ntry:\n    import b\nexcept ImportError:\n    pass\n"
    assert make(files, text).missing == {}


def test_what_only_an_optional_module_needs_may_be_missing_until_it_is_needed(make):
    files = {"own/one.py": "try:\n    import lib\nexcept ImportError:\n    pass\n"}
    files["library/lib.py"] = "import gone\n"
    assert make(files).missing == {}
    assert make(files, "import one\nimport lib\n").missing == {"gone": "lib"}


def test_what_is_excluded_is_neither_found_nor_missing(make):
    files = {"own/one.py": "import lib.part\nimport gone\n", "library/lib/__init__.py": ""}
    files["library/lib/part.py"] = ""
    found = make(files, excludes={"lib.part", "gone"})
    assert (set(found.found), found.missing) == ({"one", "lib"}, {})


def test_built_in_modules_are_read_but_what_they_need_is_found(make):
    files = {"library/core/__init__.py": "import lib\n", "library/lib.py": ""}
    found = make(files, "import core.part, sys\n")
    origins = {name: module.origin for name, module in found.found.items()}
    assert origins.pop("lib") == "library"
    assert origins == dict.fromkeys(("core", "core.part", "sys"), "frozen")


def test_python_itself_does_not_take_in_what_is_for_developers(make):
    files = {"library/lib.py": "def _test():\n    import doctest\n", "library/doctest.py": ""}
    assert set(make(files, "import lib\n").found) == {"lib"}
    assert set(make(files, "import lib, doctest\n").found) == {"lib", "doctest"}


def test_a_distribution_that_is_used_goes_in_whole_with_what_it_requires(make):
    used = {
        "used/__init__.py": "",
        "used/lazy.py": "import lib\nimport unknown\n",
        "used/data.pem": "x",
        "used/types.pyi": "",
        "used/tests/test_it.py": "import pytest\n",
        "used/_fast.abi3.so": b"\0zlib\0 uses decimal",
    }
    files = {
        **wheel_files("Used", used, ["Needed_One>=1 ; python_version > '3'", "absent"]),
        **wheel_files("needed-one", {"needed.py": ""}),
        **wheel_files("unused", {"unused.py": ""}),
        "library/lib.py": "",
        "library/decimal.py": "",
    }
    found = make(files, "import used\n")
    names = {"used", "used.lazy", "used._fast", "needed", "lib", "decimal"}
    assert set(found.found) == names
    assert set(found.data) == {
        *("used/data.pem", "Used-1.0.dist-info/METADATA", "needed-one-1.0.dist-info/METADATA")
    }
    assert found.missing == {}


def test_parts_of_a_distribution_can_be_excluded(make):
    files = wheel_files("used", {"used/__init__.py": "", "used/v1/a.py": "", "used/v1/b.txt": ""})
    found = make(files, "import used\n", excludes={"used.v1"})
    assert "used.v1.a" not in found.found
    assert "used/v1/b.txt" not in found.data


def test_a_module_that_a_package_makes_when_it_runs_is_its_own_affair(make):
    files = wheel_files("used", {"used/__init__.py": "import used.made\n"})
    assert make(files, "import used\n").missing == {}
    assert make(files, "import used.other\n").missing == {"used.other": "script.py"}


def test_folders_without_init_are_packages_too(make):
    files = {"own/space/one.py": "", **wheel_files("used", {"space/two.py": ""})}
    found = make(files, "import space.one, space.two\n")
    assert [found.found[f"space.{name}"].origin for name in ("one", "two")] == ["own", "site"]


def test_the_native_modules_of_python_name_what_they_import(make):
    native = "base/_native.cpython-311-aarch64-linux-gnu.so"
    files = {native: b"\x7fELF\0json\0csv\0nothing\0", "library/json.py": "", "library/csv.py": ""}
    assert set(make(files, "import _native\n").found) == {"_native", "json", "csv"}


def test_a_native_module_for_another_platform_is_not_found(make):
    files = {"own/one.cpython-311-x86_64-linux-gnu.so": b""}
    assert make(files).missing == {"one": "script.py"}


def test_a_source_that_is_not_python_is_an_error_in_the_plugin_only(make):
    files = wheel_files("used", {"used/__init__.py": "", "used/old.py": "print 'old'\n"})
    assert "used.old" in make(files, "import used\n").found
    with pytest.raises(SyntaxError):
        make({"own/one.py": "print 'old'\n"})


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings to assemble a script that uses much of what there is."""
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path / "library"))
    files = {
        "library/sysconfig.py": "import os",
        "library/json/__init__.py": "",
        "own/hello.py": "import sysconfig\nimport used\n",
        "base/_socket.cpython-311-aarch64-linux-gnu.so": b"native",
        **wheel_files(
            "used",
            {
                "used/__init__.py": "import _socket",
                "used/old.py": "print 'old'",
                "used/_fast.so": b"fast",
                "used/data.txt": "data",
            },
        ),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return {
        "script": str(tmp_path / "own/hello.py"),
        "name": "hello",
        "own": [str(tmp_path / "own")],
        "base": str(tmp_path / "base"),
        "site": str(tmp_path / "site"),
        "frozen": ["sys", "os"],
        "suffixes": SUFFIXES,
        "system": "linux",
        "hidden": ["json"],
        "excludes": ["tkinter"],
        "library": str(tmp_path / "made/lib"),
        "native": "freeze_core/lib",
        "answer": str(tmp_path / "answer.json"),
    }


def run(settings, tmp_path, monkeypatch):
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(settings))
    monkeypatch.setattr(sys, "argv", ["assembling", str(file)])
    assembling.main()
    return json.loads((tmp_path / "answer.json").read_bytes())


def code_in(data):
    return marshal.loads(data[16:])  # noqa: S302 (made by this test)


def test_modules_are_written_where_the_program_finds_them(settings, tmp_path, monkeypatch):
    answer = run(settings, tmp_path, monkeypatch)
    assert answer["missing"] == {}
    library = tmp_path / "made/lib"
    for name in ("__main__hello", "__init__hello", "BUILD_CONSTANTS", "json/__init__"):
        assert (library / f"{name}.pyc").is_file(), name
    assert (library / "freeze_core/lib/_socket.cpython-311-aarch64-linux-gnu.so").is_file()
    assert (library / "used/_fast.so").read_bytes() == b"fast"
    assert (library / "used/data.txt").is_file()
    assert not (library / "used/old.pyc").exists()
    assert not list(library.rglob("*.py"))


def test_bytecode_is_checked_against_no_source_and_has_no_paths(settings, tmp_path, monkeypatch):
    run(settings, tmp_path, monkeypatch)
    data = (tmp_path / "made/lib/__main__hello.pyc").read_bytes()
    assert data[:4] == importlib.util.MAGIC_NUMBER
    assert data[4:8] == b"\x01\0\0\0"
    assert code_in(data).co_filename == "hello.py"
    assert str(tmp_path).encode() not in data


def test_how_python_was_built_is_said_of_the_target(settings, tmp_path, monkeypatch):
    run(settings, tmp_path, monkeypatch)
    (path,) = (tmp_path / "made/lib").glob("_sysconfigdata__*")
    assert path.name == "_sysconfigdata__linux_aarch64-linux-gnu.pyc"
    assert SUFFIXES[0] in code_in(path.read_bytes()).co_consts


def test_nothing_is_written_if_something_is_missing(settings, tmp_path, monkeypatch):
    settings["hidden"] = ["no_such_one"]
    answer = run(settings, tmp_path, monkeypatch)
    assert answer["missing"] == {"no_such_one": "the project file"}
    assert not (tmp_path / "made").exists()


def test_a_module_that_is_needed_and_is_not_python_is_an_error(settings, tmp_path, monkeypatch):
    settings["hidden"] = ["used.old"]
    with pytest.raises(SystemExit, match="not Python"):
        run(settings, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", ["hello", "other"])
def test_a_module_of_the_plugin_that_is_not_python_is_named(settings, tmp_path, monkeypatch, name):
    settings["hidden"] = ["other"]
    (tmp_path / "own/other.py").write_text("")
    path = tmp_path / f"own/{name}.py"
    path.write_text("print 'old'\n")
    with pytest.raises(SystemExit, match=f"not Python: .*{path}"):
        run(settings, tmp_path, monkeypatch)
