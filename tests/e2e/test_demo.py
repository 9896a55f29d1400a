"""``make demo`` does what it says; here without making its environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.command import GO_CACHE

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_demo_goes_from_source_to_a_registry_and_back_and_leaves_nothing_running(tmp_path):
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, str(PROJECT / "build_scripts/demo.py"), "--out", str(out)],
        cwd=PROJECT,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "GOCACHE": GO_CACHE},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    started = re.findall(r"plugin oci\S* started: pid (\d+)", done.stdout)
    assert len(started) == 2, "there, and back"
    for pid in started:
        assert f"process {pid} is gone" in done.stdout
    for call in ("/local-resource/upload", "/local-resource/download", "/component-version/upload"):
        assert f"path={call} status=200" in done.stdout
    assert "the same manifest in ctf, registry and back: sha256:" in done.stdout
    assert [path.name for path in (out / "elsewhere").iterdir()] == ["oci"]
