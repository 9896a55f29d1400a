"""``publish``: what it sends, from where, and where to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.cli.main import run
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "example.com/plugins/hello"
PROJECT = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
targets: [{platform: linux/amd64, builder: prebuilt, path: hello}]
"""


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Run a command in a folder that has ./ctf with two versions of a component."""
    monkeypatch.setattr("ocm_pkg.cli.main._end_on_signals", lambda: None)
    monkeypatch.setattr("os.fsync", lambda _fd: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        ended = run([*arguments, "-o", "json"])
        out, err = capsys.readouterr()
        assert ended == code, (out, err)
        return json.loads(out)

    for version in ("1.0.0", "2.0.0"):
        text = {"type": "utf8", "text": version}
        constructor = {
            "name": NAME,
            "version": version,
            "provider": {"name": "example.com"},
            "resources": [{"name": "hello", "type": "ocmPlugin", "input": text}],
        }
        Path("component-constructor.yaml").write_text(json.dumps(constructor))
        command("add", "cv")
    return command


def project(publish: str = "") -> None:
    Path("ocm-pkg.yaml").write_text(PROJECT + publish)


def test_a_component_version_goes_from_ctf_to_a_repository(command: Callable[..., Any]) -> None:
    done = command("publish", f"{NAME}:1.0.0", "--to", "./out")
    assert (done["component"], done["version"], done["repository"]) == (NAME, "1.0.0", "./out")
    assert [blob["state"] for blob in done["blobs"]] == ["written"]
    again = command("publish", f"{NAME}:1.0.0", "--to", "./out")
    assert [blob["state"] for blob in again["blobs"]] == ["exists"]


def test_without_a_version_it_is_the_newest(command: Callable[..., Any]) -> None:
    assert command("publish", NAME, "--to", "./out")["version"] == "2.0.0"


def test_the_source_is_named_by_from_or_by_the_reference(command: Callable[..., Any]) -> None:
    command("publish", NAME, "--to", "./one")
    assert command("publish", NAME, "--from", "./one", "--to", "./two")["repository"] == "./two"
    assert command("publish", f"./one//{NAME}:2.0.0", "--to", "./three//")["version"] == "2.0.0"
    twice = command("publish", f"./one//{NAME}", "--from", "./one", "--to", "./four", code=2)
    assert "leave out --from" in twice["error"]["hint"]
    assert command("publish", f"{NAME}:9.9.9", "--to", "./four", code=3)


def test_in_a_project_it_is_what_the_project_makes_and_goes_where_the_project_says(
    command: Callable[..., Any],
) -> None:
    project("publish: {to: ./published}\n")
    done = command("publish")
    assert (done["version"], done["repository"]) == ("1.0.0", "./published")
    assert command("publish", "--to", "./elsewhere")["repository"] == "./elsewhere"
    assert command("publish", f"{NAME}:2.0.0")["repository"] == "./published"


def test_paths_of_the_project_file_are_relative_to_the_project(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    project("publish: {to: published}\n")
    Path("below").mkdir()
    monkeypatch.chdir("below")
    command("publish", "--project", "..")
    monkeypatch.chdir("..")
    assert Path("published/artifact-index.json").is_file()


def test_what_is_not_said_is_asked_for(command: Callable[..., Any], tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    assert "--to" in command("publish", NAME, code=2)["error"]["hint"]
    assert "ocm-pkg publish COMPONENT" in command("publish", "--to", "x", code=2)["error"]["hint"]
    assert command("publish", "./ctf", "--to", "x", code=2)
    assert snapshot(tmp_path) == before
    project()
    assert "publish: {to: REPOSITORY}" in command("publish", code=2)["error"]["hint"]


def test_a_project_that_was_not_packaged_is_not_found(command: Callable[..., Any]) -> None:
    project("publish: {to: ./published}\n")
    Path("ocm-pkg.yaml").write_text(Path("ocm-pkg.yaml").read_text().replace("1.0.0", "3.0.0"))
    assert "has 2.0.0, 1.0.0" in command("publish", code=3)["error"]["hint"]


def test_a_dry_run_says_what_would_be_sent(command: Callable[..., Any], tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    done = command("publish", NAME, "--to", "./out", "--dry-run")
    assert done["blobs"][0]["state"] == "written"
    assert snapshot(tmp_path) == before


def test_other_content_is_replaced_only_on_demand(command: Callable[..., Any]) -> None:
    command("publish", f"{NAME}:1.0.0", "--to", "./out")
    constructor = json.loads(Path("component-constructor.yaml").read_text())
    constructor["version"] = "1.0.0"
    Path("component-constructor.yaml").write_text(json.dumps(constructor))
    command("add", "cv", "--component-version-conflict-policy", "replace")
    error = command("publish", f"{NAME}:1.0.0", "--to", "./out", code=8)["error"]
    assert "--replace" in error["hint"]
    assert error["detail"][0].startswith("resources[name=hello].digest.value: ")
    replaced = command("publish", f"{NAME}:1.0.0", "--to", "./out", "--replace")
    assert replaced["blobs"][0]["state"] == "written"
