"""A project whose builder comes from another package, by its entry point."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from ocm_pkg.model.binary import HEADER_BYTES, sniff_platform
from tests.fakes.command import Command

PROGRAM = Path(sys.executable).resolve()
HOST = sniff_platform(PROGRAM.read_bytes()[:HEADER_BYTES])
BUILDER = """\
from ocm_pkg.builders.result import take

class Copy:
    def __init__(self, environ):
        self.environ = environ
    def missing(self, target, host):
        return None if target.platform == host else f"run this on {target.platform}"
    def build(self, job):
        made = job.folder / job.target.settings["from"]
        return take(job, made, {"acme": "1.0"})
"""
PROJECT = f"""\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build: {{builder: acme, settings: {{from: made}}}}
targets: [{HOST}]
"""


@pytest.fixture
def author(tmp_path):
    command = Command(tmp_path / "home")
    packages = tmp_path / "packages"
    info = packages / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ocm_pkg.builders]\nacme = acme_builder:Copy\n")
    (packages / "acme_builder.py").write_text(BUILDER)
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "ocm-pkg.yaml").write_text(PROJECT)
    shutil.copy(PROGRAM, folder / "made")
    return command, folder, packages


def test_it_is_planned_built_checked_and_packaged_like_any_other(author):
    command, folder, packages = author
    command.environ["PYTHONPATH"] += f":{packages}"
    assert command("build", "--plan", "-o", "json", cwd=folder).json["targets"][0]["here"]
    (target,) = command("build", "-o", "json", cwd=folder).json["targets"]
    assert (target["builder"], target["tools"]["acme"]) == ("acme", "1.0")
    assert command("check", cwd=folder).code == 0
    assert command("package", cwd=folder).code == 0


def test_without_the_package_the_project_file_is_refused_where_it_names_it(author):
    command, folder, _ = author
    ran = command("build", cwd=folder)
    assert ran.code == 2
    assert "'acme' is not supported" in ran.err
    assert "ocm-pkg.yaml:5:9" in ran.err


def test_a_package_that_is_broken_is_named(author):
    command, folder, packages = author
    command.environ["PYTHONPATH"] += f":{packages}"
    (packages / "acme_builder.py").write_text("import no_such_module\n")
    ran = command("build", cwd=folder)
    assert ran.code == 2
    assert "the builder acme of acme can't be used: ModuleNotFoundError" in ran.err
