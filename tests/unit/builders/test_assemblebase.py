"""The interpreter in a wheel: what it is, and which of its libraries a plugin gets."""

from __future__ import annotations

import json

import pytest

from ocm_pkg.builders.assemblebase import BaseInterpreter, check_native_files
from ocm_pkg.errors import BinaryPlatformError, BuildError
from ocm_pkg.model.platform import Platform
from tests.fakes.binaries import elf

ARM = Platform("linux", "arm64")
KNOWN = {"__version__": "3.11.17 (main, Oct 21 2026)", "sys": "built-in", "abc": "frozen"}
LINUX = {
    "bases/console-cpython-311-aarch64-linux-gnu": b"program",
    "bases/console.c": b"",
    "lib/_ssl.cpython-311-aarch64-linux-gnu.so": b"needs libssl-1.so.3",
    "../freeze_core.libs/libssl-1.so.3": b"needs libcrypto-2.so.3",
    "../freeze_core.libs/libcrypto-2.so.3": b"",
    "../freeze_core.libs/libtk-3.so": b"needs libssl-1.so.3",
}
DARWIN = {
    "bases/console-cpython-311-darwin": b"@loader_path/lib/Python",
    "lib/_ssl.cpython-311-darwin.so": b"@loader_path/../bases/lib/libssl.3.dylib",
    "bases/lib/libssl.3.dylib": b"",
    "bases/lib/libtk8.6.dylib": b"",
    "bases/lib/Python": b"",
}


def wheel(tmp_path, files):
    files = {**files, "frozen/frozen-cpython-311-x.json": json.dumps(KNOWN).encode()}
    for name, data in files.items():
        path = tmp_path / "base/freeze_core" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "base"


def put(base, made, natives):
    for name in natives:
        path = made / "lib/freeze_core/lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((base.native / name).read_bytes())
    made.mkdir(exist_ok=True)
    base.put(made, "hello")
    return {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}


def test_a_wheel_says_what_its_interpreter_is(tmp_path):
    base = BaseInterpreter.in_folder(wheel(tmp_path, LINUX), "x.whl")
    assert (base.version, base.frozen) == ("3.11.17", ("abc", "sys"))
    assert base.suffixes[0] == ".cpython-311-aarch64-linux-gnu.so"


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"bases/console-cpython-311-win_amd64.exe": b""}, id="no native modules"),
        pytest.param({"lib/x.so": b""}, id="no program"),
        pytest.param({**LINUX, "bases/console-cpython-312-x": b""}, id="two programs"),
    ],
)
def test_a_wheel_without_a_whole_interpreter_is_refused(tmp_path, files):
    with pytest.raises(BuildError, match=r"x\.whl has no whole interpreter"):
        BaseInterpreter.in_folder(wheel(tmp_path, files), "x.whl")


def test_only_libraries_that_are_needed_go_in_also_for_each_other(tmp_path):
    base = BaseInterpreter.in_folder(wheel(tmp_path, LINUX), "x.whl")
    native = "_ssl.cpython-311-aarch64-linux-gnu.so"
    assert put(base, tmp_path / "with", [native]) == {
        "hello",
        f"lib/freeze_core/lib/{native}",
        "lib/freeze_core.libs/libssl-1.so.3",
        "lib/freeze_core.libs/libcrypto-2.so.3",
    }
    assert put(base, tmp_path / "without", []) == {"hello"}
    assert (tmp_path / "without/hello").stat().st_mode & 0o777 == 0o755


def test_on_darwin_the_library_of_python_is_where_the_program_looks(tmp_path):
    base = BaseInterpreter.in_folder(wheel(tmp_path, DARWIN), "x.whl")
    native = "_ssl.cpython-311-darwin.so"
    assert put(base, tmp_path / "made", [native]) == {
        "hello",
        "lib/Python",
        f"lib/freeze_core/lib/{native}",
        "lib/freeze_core/bases/lib/libssl.3.dylib",
    }


def test_machine_code_for_another_platform_is_refused(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/one.so").write_bytes(elf(183))
    (tmp_path / "lib/text.so").write_bytes(b"INPUT(libc.so.6)")
    (tmp_path / "lib/data.bin").write_bytes(elf(62))
    check_native_files(tmp_path, ARM)
    (tmp_path / "lib/two.so.1").write_bytes(elf(62))
    with pytest.raises(BinaryPlatformError, match=r"lib/two.so.1 is for linux/amd64"):
        check_native_files(tmp_path, ARM)
