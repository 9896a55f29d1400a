"""Every command that the document about rebuilding shows is run, and ends with 0."""

from __future__ import annotations

import shutil

import pytest

from tests.fakes.rebuild_project import RebuildProject
from tests.fakes.shown import Shell, commands


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_what_is_written_about_rebuilding_works(tmp_path):
    project = RebuildProject(tmp_path)
    project.publish()
    shell = Shell(tmp_path / "home")
    shell.cwd = tmp_path / "work"
    shutil.copytree(project.folder / "ctf", shell.cwd / "ctf")
    shutil.copytree(project.folder, shell.cwd / "hello", symlinks=True)
    key = tmp_path / "home/.config/ocm-pkg/keys/default.public.pem"
    shutil.copy(key, shell.cwd / "release.public.pem")
    lines = commands("docs/rebuild.md")
    assert len(lines) >= 4
    for line in lines:
        shell.run(line)
    assert (shell.cwd / "compared/published/hello.linux-arm64").exists()
