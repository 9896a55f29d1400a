"""What a binary needs: computed by the build, said by the commands, bounded by require."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ocm_pkg.builders.glibc import floor_of
from ocm_pkg.model.binary import HEADER_BYTES, sniff_platform
from tests.fakes.command import Command

PROGRAM = Path(sys.executable).resolve()
HOST = sniff_platform(PROGRAM.read_bytes()[:HEADER_BYTES])
FLOOR = floor_of(PROGRAM, PROGRAM) if sys.platform == "linux" else None

pytestmark = pytest.mark.skipif(FLOOR is None, reason="needs a Python on Linux with glibc")
PROJECT = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build: {{builder: prebuilt, path: made}}
targets: [{platform}]
require: {{{require}}}
"""


@pytest.fixture
def author(tmp_path):
    command = Command(tmp_path / "home")
    folder = tmp_path / "hello"
    folder.mkdir()
    shutil.copy(PROGRAM, folder / "made")

    def run(*words, require="", code=0):
        text = PROJECT.format(platform=HOST, require=require)
        (folder / "ocm-pkg.yaml").write_text(text)
        ran = command(*words, cwd=folder)
        assert ran.code == code, ran.err
        return ran

    return run


def test_the_glibc_that_a_binary_needs_is_reported_signed_and_shown(author):
    built = author("build", "-o", "json", require=f'glibc-max: "{FLOOR.version}"')
    assert built.json["targets"][0]["glibc"] == FLOOR.version
    require = f'glibc-max: "{FLOOR.version}"'
    assert FLOOR.version in author("build", require=require).out
    author("package", require=require)
    resource = author("describe", "cv", "ctf//example.com/plugins/hello", "-o", "json").json
    (resource,) = [one for one in resource["resources"] if one["type"] == "ocmPlugin"]
    assert (resource["shape"], resource["glibc"]) == ("file", FLOOR.version)
    label = resource["labels"][0]
    assert (label["signing"], label["value"]["glibc"]) == (True, FLOOR.version)
    shown = author("describe", "cv", "ctf//example.com/plugins/hello").out
    assert f"needs glibc {FLOOR.version}" in shown


def test_a_binary_that_needs_too_new_a_glibc_is_not_delivered(author):
    refused = author("build", require='glibc-max: "2.1"', code=6)
    assert f"(its made) needs glibc {FLOOR.version}" in refused.err
    assert "build it on an older system" in refused.err


def test_a_binary_that_says_no_capabilities_has_no_start_to_measure(author):
    author("build")
    refused = author("build", require="startup-ms: 500", code=6)
    assert "did not say its capabilities" in refused.err


ANSWERS = """\
#include <stdio.h>
#include <unistd.h>
int main(void) { usleep(MILLISECONDS * 1000); return puts("{}") < 0; }
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_binary_that_takes_too_long_to_say_its_capabilities_is_not_delivered(author, tmp_path):
    source = tmp_path / "hello.c"
    source.write_text(ANSWERS)
    made = tmp_path / "hello/made"
    for milliseconds in (0, 400):
        compiler = ["cc", f"-DMILLISECONDS={milliseconds}", "-o", made, source]
        subprocess.run(compiler, check=True, timeout=60)
        if milliseconds == 0:
            author("build", require="startup-ms: 5000")
    refused = author("build", require="startup-ms: 300", code=6)
    assert "more than the 300 ms that require.startup-ms allows" in refused.err
