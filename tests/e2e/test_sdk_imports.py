"""What a plugin imports before it answers: it must start fast and freeze small."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.fakes.plugin_process import ROOT, environment

HEAVY = {
    "asyncio",
    "click",
    "cryptography",
    "dataclasses",
    "email",
    "http",
    "http.server",
    "inspect",
    "jsonschema",
    "logging",
    "pydantic",
    "rich",
    "ssl",
    "subprocess",
    "tempfile",
    "urllib3",
    "yaml",
    "ocm_pkg.fs",
    "ocm_pkg.model",
    "ocm_pkg.plugin",
    "ocm_pkg.ports",
    "ocm_pkg.services",
    "ocm_pkg.signing",
    "ocm_pkg.store",
}
REPORT = """
import json, runpy, sys
sys.path.insert(0, sys.argv[1])
sys.argv = [sys.argv[2], *sys.argv[3:]]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    sys.stderr.write(json.dumps([end.code, sorted(sys.modules)]))
"""


@pytest.mark.parametrize(
    "script",
    ["tests/fakes/probe_repository.py", "ocm_pkg/plugins/ctf.py", "ocm_pkg/plugins/oci.py"],
)
def test_nothing_heavy_is_imported_before_capabilities_are_answered(script, tmp_path):
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", REPORT, str(ROOT), str(ROOT / script), "capabilities"],
        capture_output=True,
        env=environment(tmp_path),
        timeout=20,
        check=True,
    )
    code, modules = json.loads(result.stderr)
    assert code == 0
    assert "capabilities" in json.loads(result.stdout)
    assert HEAVY.intersection(modules) == set()
