from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from ocm_pkg.cli.main import run
from ocm_pkg.cli.sizes import human_size, size_of
from ocm_pkg.errors import UsageError
from tests.fakes.trees import snapshot

VECTORS = Path(__file__).parents[2] / "vectors"
CHILD = "example.com/child"
CONSTRUCTOR: dict[str, Any] = {
    "components": [
        {
            "name": "example.com/some",
            "version": "${version}",
            "provider": {"name": "Somebody", "labels": [{"name": "team", "value": "infra"}]},
            "creationTime": "2026-01-01T00:00:00Z",
            "labels": [{"name": "note", "value": "hi", "signing": True}],
            "resources": [
                {"name": "text", "type": "blob", "input": {"type": "utf8", "text": "hello"}},
                {
                    "name": "image",
                    "version": "1.0.0",
                    "type": "ociImage",
                    "access": {"type": "ociArtifact", "imageReference": "example.com/a:1"},
                },
                {
                    "name": "program",
                    "type": "ocmPlugin",
                    "extraIdentity": {"os": "linux", "architecture": "arm64"},
                    "input": {"type": "utf8", "text": "run"},
                },
            ],
            "sources": [{"name": "code", "type": "git", "input": {"type": "utf8", "text": "c"}}],
            "componentReferences": [{"name": "child", "componentName": CHILD, "version": "1.0.0"}],
        },
        {"name": CHILD, "version": "1.0.0", "provider": {"name": "example.com"}},
    ]
}
REF = "ctf//example.com/some"
ADD = ("add", "cv", "--skip-reference-digest-processing")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a constructor."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ocm_pkg.cli.main._end_on_signals", lambda: None)
    write(CONSTRUCTOR)
    return tmp_path


def write(constructor: dict[str, Any]) -> None:
    Path("component-constructor.yaml").write_text(yaml.safe_dump(constructor))


class Command:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def text(self, *arguments: str, code: int = 0) -> str:
        self._capsys.readouterr()
        ended = run(arguments)
        captured = self._capsys.readouterr()
        assert ended == code, captured.err
        return captured.out if code == 0 else captured.out + captured.err

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.text(*arguments, "-o", "json", code=code))


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def added(command: Command) -> Command:
    command.text(*ADD, "--set", "version=1.0.0")
    command.text(*ADD, "--set", "version=2.0.0")
    return command


def test_adding_prints_what_was_stored(command: Command) -> None:
    text = command.text(*ADD, "--set", "version=1.0.0")
    assert text.splitlines()[1].startswith("./ctf//example.com/some:1.0.0  sha256:")


def test_one_component_version_is_one_object(command: Command) -> None:
    write(CONSTRUCTOR["components"][1])
    assert command.json(*ADD)["component"] == CHILD
    assert command.json(*ADD, "--dry-run")["blobs"] == []


def test_the_environment_gives_variables_but_no_version(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("version", "9.9.9")
    error = command.json(*ADD, code=2)["error"]
    assert "version" in error["message"]
    assert error["at"].startswith("component-constructor.yaml:")


def test_getting_a_component_lists_its_versions_newest_first(added: Command) -> None:
    rows = added.text("get", "cv", REF).splitlines()
    assert [row.split() for row in rows] == [
        ["COMPONENT", "VERSION", "PROVIDER"],
        ["example.com/some", "2.0.0", "Somebody"],
        ["example.com/some", "1.0.0", "Somebody"],
    ]


def test_getting_a_repository_lists_everything(added: Command) -> None:
    found = added.json("get", "cv", "./ctf")
    assert [(one["component"]["name"], one["component"]["version"]) for one in found] == [
        (CHILD, "1.0.0"),
        ("example.com/some", "2.0.0"),
        ("example.com/some", "1.0.0"),
    ]


def test_yaml_is_a_list_of_descriptors_too(added: Command) -> None:
    (found,) = yaml.safe_load(added.text("get", "cv", f"{REF}:1.0.0", "-o", "yaml"))
    assert found == added.json("get", "cv", f"{REF}:1.0.0")[0]


def test_the_tree_goes_down_when_asked(added: Command) -> None:
    flat = added.text("get", "cv", f"{REF}:1.0.0", "-o", "tree")
    assert flat.splitlines() == [
        "example.com/some:1.0.0",
        "├─ blob name=text",
        "├─ ociImage name=image",
        "├─ ocmPlugin name=program,architecture=arm64,os=linux",
        "├─ source git name=code",
        "└─ child -> example.com/child:1.0.0",
    ]
    assert len(added.json("get", "cv", f"{REF}:1.0.0", "--recursive")) == 2


def test_what_is_not_there_is_not_found(added: Command) -> None:
    for ref in (f"{REF}:3.0.0", "ctf//example.com/other"):
        assert added.json("get", "cv", ref, code=3)["error"]["code"] == "E301"


def test_describing_shows_the_newest_with_all_facts(added: Command) -> None:
    text = added.text("describe", "cv", REF)
    for fact in (
        "Version:    2.0.0",
        "Platforms:  linux/arm64",
        "Created:    2026-01-01T00:00:00Z",
        "label note (signed): hi",
        "text/plain, 5 B, 2cf24dba5fb0…",
        "ociArtifact, -, no digest",
        "child -> example.com/child:1.0.0",
        "Signatures: none",
    ):
        assert fact in text
    value = added.json("describe", "cv", REF)
    assert [one["size"] for one in value["resources"]] == [5, None, 3]
    assert value["sources"][0]["mediaType"] == "text/plain"


def test_describing_a_certified_signature_names_the_certificate(command: Command) -> None:
    source = next(path for path in sorted((VECTORS / "signed").iterdir()) if "pem" in path.name)
    shutil.copytree(source / "ctf", "signed")
    (found,) = command.json("get", "cv", "signed")
    name, version = found["component"]["name"], found["component"]["version"]
    (signature,) = command.json("describe", "cv", f"./signed//{name}:{version}")["signatures"]
    assert signature["signer"]
    text = command.text("describe", "cv", f"./signed//{name}:{version}")
    assert f"by {signature['signer']} (not verified here)" in text


def test_downloading_prints_the_path(added: Command, folder: Path) -> None:
    shown = added.text("download", "resource", REF, "--identity", "name=text")
    assert Path(shown.strip()).resolve() == (folder / "text").resolve()
    assert (folder / "text").read_text() == "hello"


def test_transferring_takes_a_repository_and_no_component(added: Command, folder: Path) -> None:
    assert added.json("transfer", "cv", f"{REF}:1.0.0", "./other")["version"] == "1.0.0"
    before = snapshot(folder)
    assert "is wanted" in added.text("transfer", "cv", REF, "./other//example.com/x", code=2)
    assert "is wanted" in added.text("transfer", "cv", "./ctf", "./other", code=2)
    copied = added.json("--offline", "transfer", "cv", REF, "./new", "--copy-resources", code=5)
    assert copied["error"]["code"] == "E504"
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("12 B", 12), ("5kB", 5000), ("2MB", 2_000_000), ("16GiB", 16 * 1024**3)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "-1", "1.5MB", "many", "1 mb", "1e3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        size_of(text)


@pytest.mark.parametrize(
    ("size", "text"), [(None, "-"), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB")]
)
def test_sizes_are_shown(size: int | None, text: str) -> None:
    assert human_size(size) == text


def test_one_conflict_among_several_stops_all(added: Command, folder: Path) -> None:
    changed = {**CONSTRUCTOR["components"][0], "provider": {"name": "Another"}}
    new = {"name": "example.com/aa", "version": "1.0.0", "provider": {"name": "p"}}
    write({"components": [new, CONSTRUCTOR["components"][1], changed]})
    before = snapshot(folder / "ctf")
    added.json(*ADD, "--set", "version=1.0.0", code=8)
    assert snapshot(folder / "ctf") == before


def test_mistakes_in_options_are_named(added: Command) -> None:
    assert "is no setting" in added.text(*ADD, "--set", "x", code=2)
    assert "is not a size" in added.text(
        *ADD, "--set", "version=1.0.0", "--max-input-size", "x", code=2
    )
    added.text(*ADD, "--working-directory", "none", "--set", "version=1.0.0", code=3)
