"""Every command that the documents show is run, in their order, and ends with 0."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.model.project import parse_project
from tests.fakes.shown import PROJECT, Shell, block, commands

if TYPE_CHECKING:
    from pathlib import Path

ADR_SAMPLE = """\
name: ocm.software/plugins/oci
provider:
  name: ocm.software
resources:
- extraIdentity:
    architecture: amd64
    os: linux
  input:
    path: ociplugin.linux-amd64
    type: file
  name: ociplugin
  type: ocmPlugin
  version: 0.0.1
"""
NOTES = """\
name: example.com/demo/notes
version: 1.0.0
provider: {name: example.com}
resources: [{name: notes, type: blob, input: {type: utf8, text: "notes"}}]
"""


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder in which everything that the README shows was done, in its order."""
    home = tmp_path_factory.mktemp("home")
    shell = Shell(home)
    lines = commands("README.md")
    assert lines[0].startswith("ocm-pkg init")
    for line in lines:
        if not line.startswith("ocm-pkg serve"):
            shell.run(line)
            continue
        with shell.beside(line) as url:
            shell.run(f"ocm-pkg get cv {url}//example.com/plugins/hello")
    return home


def test_the_readme_works_from_its_first_command_to_its_last(hello):
    assert (hello / ".config/ocm/plugins/hello").exists()
    assert (hello / "hello/ctf/artifact-index.json").exists()


def test_what_is_written_for_authors_works(hello, tmp_path):
    shell = Shell(tmp_path)
    # The builds of other shapes are the subject of tests of their own.
    lines = [line for line in commands("docs/authors.md") if " --shape " not in line]
    start = next(number for number, line in enumerate(lines) if line.startswith("ocm-pkg add cv"))
    shell.run(lines[0])
    shell.run(lines[1])
    shutil.copytree(hello / "hello/dist", tmp_path / "hello/dist")
    for line in lines[2:start]:
        if line not in ("ocm-pkg build", "ocm-pkg check"):
            shell.run(line)
    work = tmp_path / "adr"
    work.mkdir()
    (work / "component-constructor.yaml").write_text(ADR_SAMPLE)
    (work / "ociplugin.linux-amd64").write_bytes(b"\x7fELF")
    shell.cwd = work
    assert len(lines[start:]) >= 4
    for line in lines[start:]:
        shell.run(line)


@pytest.mark.skipif(not shutil.which("gpg"), reason="needs gpg")
def test_what_is_written_about_signing_works(hello, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    shell = Shell(home)
    project = hello / "hello"
    shell.run(f"ocm-pkg package --project {project} --out {project / 'dist'} --to {home / 'ctf'}")
    shell.run("ocm-pkg key new release --out .")
    keys = PROJECT / "tests/vectors/keys"
    for name, vector in (("secret", "test-gpg.secret"), ("public", "test-gpg.public")):
        shutil.copy(keys / f"{vector}.asc", home / f"{name}.asc")
    for line in commands("docs/signing.md"):
        shell.run(line)


def test_what_is_written_for_operators_works(hello, tmp_path):
    home = tmp_path / "home"
    work = home / "work"
    shell = Shell(home)
    shutil.copytree(hello / "hello/ctf", work / "ctf")
    shutil.copytree(hello / ".config/ocm-pkg", home / ".config/ocm-pkg")
    shutil.copy(home / ".config/ocm-pkg/keys/default.public.pem", work / "release.public.pem")
    (work / "notes.yaml").write_text(NOTES)
    shell.cwd = work
    shell.run("ocm-pkg add cv -r source -c notes.yaml")
    lines = commands("docs/operators.md")
    removes = [line for line in lines if "plugin remove" in line]
    for line in [line for line in lines if line not in removes] + removes:
        shell.run(line.replace("hello:1.2.0", "hello"))


def test_the_plugin_that_the_document_shows_answers(tmp_path):
    program = tmp_path / "plugin.py"
    program.write_text(block("docs/authors.md", "from ocm_pkg.sdk import"))
    done = subprocess.run(
        [sys.executable, str(program), "capabilities"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "HelloRepository/v1" in done.stdout


def test_the_project_file_that_the_document_shows_is_read():
    text = block("docs/authors.md", "formatVersion: 1")
    assert len(parse_project(text, name="docs/authors.md").targets) == 3
