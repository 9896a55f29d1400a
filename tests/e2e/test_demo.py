"""``make demo`` does what it says; here without making its environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_demo_goes_from_source_to_a_running_plugin_and_leaves_nothing_running(tmp_path):
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, str(PROJECT / "build_scripts/demo.py"), "--out", str(out)],
        cwd=PROJECT,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    started = re.search(r"plugin ctf started: pid (\d+)", done.stdout)
    assert started is not None
    assert f"process {started[1]} is gone" in done.stdout
    assert "path=/local-resource/upload status=200" in done.stdout
    assert (out / "target/artifact-index.json").read_bytes() == (
        out / "source/artifact-index.json"
    ).read_bytes()
    assert len(list((out / "plugins").iterdir())) == 1
