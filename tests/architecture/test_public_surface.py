"""What ``import ocm_pkg`` and ``import ocm_pkg.sdk`` promise: names, and who takes what."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ocm_pkg
from ocm_pkg import sdk

PROJECT = Path(__file__).resolve().parents[2]

NAMES = {
    *("ComponentDescriptor", "Resource", "Identity", "Platform", "ComponentRef", "RepositorySpec"),
    *("Digest", "Blob", "Repository", "open_repository", "build", "construct", "publish"),
    *("transfer", "sign", "verify", "install", "TrustPolicy", "PluginManager"),
    *("ImplementedPlugin", "Capability", "errors", "__version__"),
}

SIGNATURES = {
    "open_repository": "(text, *, create, credentials)",
    "construct": "(constructor, workplace, *, resolve, locate, external)",
    "install": "(order, *, repository, trust, place, probe, now, descriptor, progress,"
    " lock_timeout, fail_point)",
    "sign": "(*, repository, descriptor, key, now, request, force, dry_run)",
}


def test_the_package_gives_what_the_architecture_says():
    assert set(ocm_pkg.__all__) == NAMES
    assert set(dir(ocm_pkg)) == NAMES
    for name in NAMES:
        assert getattr(ocm_pkg, name) is not None


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = ocm_pkg.nothing


@pytest.mark.parametrize(("name", "expected"), SIGNATURES.items())
def test_the_verbs_take_what_they_took(name, expected):
    parameters = inspect.signature(getattr(ocm_pkg, name)).parameters.values()
    shown = []
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        shown.append(parameter.name)
    assert f"({', '.join(shown)})" == expected


def test_a_plugin_author_gets_plugin_and_serve():
    assert {"Plugin", "serve"} <= set(sdk.__all__)


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert ocm_pkg.__version__ == project["version"]


def test_importing_the_package_loads_nothing_of_it():
    code = "import sys, ocm_pkg; print([name for name in sys.modules if name.startswith('ocm_')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['ocm_pkg']"
