"""A project is released: by one command, on one machine or several, to a folder or a registry."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.fakes.command import Command
from tests.fakes.release_room import NAME, YAML, needs_git
from tests.fakes.release_room import room as room  # noqa: PLC0414 - a fixture
from tests.fakes.serve_command import serving
from tests.fakes.trees import names, snapshot

pytestmark = needs_git
STEPS = ["check", "build", "test", "package", "sign", "publish"]
PUBLISHED = ["done", *["skipped"] * 4, "done"]
KEYS = Path(__file__).parents[1] / "vectors/keys"


def test_a_release_is_in_its_repository_signed_and_says_what_was_done(room):
    said = room.accepted("release", "-o", "json").json
    assert list(said) == ["component", "version", "digest", "repository", "steps", "targets"]
    assert (said["component"], said["version"], said["repository"]) == (NAME, "1.0.0", "./ctf")
    assert said["digest"] == f"sha256:{room.digest()}"
    assert [step["step"] for step in said["steps"]] == STEPS
    assert all(set(step) == {"step", "result", "ms", "detail"} for step in said["steps"])
    assert {step["result"] for step in said["steps"]} == {"done"}
    assert [one["platform"] for one in said["targets"]] == ["darwin/amd64", "darwin/arm64"]


def test_the_steps_are_told_on_standard_error_and_the_reference_is_printed(room):
    ran = room.accepted("release")
    assert ran.out == f"./ctf//{NAME}:1.0.0\n"
    for step in STEPS:
        assert f"\n{step}: " in f"\n{ran.err}"
    assert "darwin/arm64 skipped" in ran.err


def test_the_same_again_changes_nothing(room):
    room.accepted("release")
    before = snapshot(room.folder / "ctf")
    assert room.results() == PUBLISHED
    shutil.rmtree(room.folder / "dist")
    steps = room.released()
    assert [step["result"] for step in steps.values()] == ["done"] * 6
    assert steps["sign"]["detail"].startswith("signed already")
    assert "nothing sent" in steps["publish"]["detail"]
    assert snapshot(room.folder / "ctf") == before


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(room):
    before = snapshot(room.folder)
    said = room.accepted("release", "--dry-run", "-o", "json").json
    assert [step["result"] for step in said["steps"]] == ["done", *["planned"] * 5]
    assert said["steps"][1]["detail"] == "would build darwin/arm64, darwin/amd64"
    assert said["steps"][5]["detail"] == f"would publish ./ctf//{NAME}:1.0.0"
    assert (said["digest"], said["targets"]) == (None, [])
    assert snapshot(room.folder) == before


def test_it_goes_to_a_second_repository_without_another_build(room):
    room.accepted("release")
    assert room.results("--to", "dist-other") == PUBLISHED
    assert room.digest("dist-other") == room.digest()
    assert room.runs == 1


def test_where_it_goes_may_be_in_the_project_file(room):
    room.write("ocm-pkg.yaml", YAML + 'publish: {to: "./dist-published"}\n')
    room.commit()
    ran = room.accepted("release")
    assert ran.out == f"./dist-published//{NAME}:1.0.0\n"
    assert room.digest("dist-published")


def test_a_registry_that_takes_nothing_stops_it_and_it_goes_on_when_it_does(room):
    text = "name: example.com/other\nversion: 1.0.0\nprovider: {name: x}\nresources: []\n"
    room.write("keys/c.yaml", text)
    room.accepted("add", "cv", "-r", "dist-registry", "-c", "keys/c.yaml")
    with serving("dist-registry", cwd=room.folder) as server:
        ran = room("release", "--to", f"{server.url}/acme")
        assert ran.code == 5, ran
        assert "stopped at publish" in ran.err
    with serving("dist-registry", "--writable", cwd=room.folder) as server:
        assert room.results("--to", f"{server.url}/acme") == PUBLISHED
        assert room.digest(f"{server.url}/acme")
        assert "nothing sent" in room.released("--to", f"{server.url}/acme")["publish"]["detail"]
    assert room.runs == 1


def test_what_several_machines_built_is_merged_and_released(room):
    room.accepted("build", "--target", "darwin/arm64", "--out", "dist-one")
    room.accepted("build", "--target", "darwin/amd64", "--out", "dist-two")
    room.accepted("merge", "dist-one", "dist-two", "--out", "dist-all")
    steps = room.released("--from-step", "package", "--out", "dist-all")
    assert [step["result"] for step in steps.values()] == ["skipped"] * 3 + ["done"] * 3
    assert room.runs == 1
    digest = room.digest()
    assert room.results("--to", "dist-ctf") == ["done"] * 6
    assert room.digest("dist-ctf") == digest


def test_a_second_clone_makes_the_same_component_version(room, tmp_path, monkeypatch):
    room.accepted("release")
    digest = room.digest()
    clone = tmp_path / "elsewhere/clone"
    room.git("clone", "--quiet", ".", str(clone))
    shutil.copytree(room.folder / "keys", clone / "keys")
    old = os.umask(0o077)
    try:
        monkeypatch.chdir(clone)
        room.accepted("release")
        assert room.digest() == digest
    finally:
        os.umask(old)


@pytest.mark.parametrize("where", ["option", "home", "absolute", "configuration folder"])
def test_the_key_is_found(room, where):
    pair = room.folder / "keys"
    home = Path(room.environ["HOME"])
    sign, options = "", []
    if where == "option":
        options = ["--key", "keys/release.private.pem"]
    elif where == "home":
        home.mkdir(exist_ok=True)
        shutil.copy(pair / "release.private.pem", home / "mine.pem")
        sign = "sign: {key: ~/mine.pem}\n"
    elif where == "absolute":
        sign = f"sign: {{key: {pair / 'release.private.pem'}}}\n"
    else:
        (home / ".config/ocm-pkg/keys").mkdir(parents=True)
        shutil.copy(pair / "release.private.pem", home / ".config/ocm-pkg/keys/default.private.pem")
    room.write("ocm-pkg.yaml", YAML.partition("sign:")[0] + sign)
    room.commit()
    room.accepted("release", *options)
    assert room.digest()


def test_the_signature_has_the_name_that_was_asked_for(room):
    room.write("ocm-pkg.yaml", YAML.replace("sign: {", "sign: {name: acme, "))
    room.commit()
    room.accepted("release")
    names_of = ("verify", "cv", f"ctf//{NAME}:1.0.0", "--key", "keys/release.public.pem")
    room.accepted(*names_of, "--signature", "acme")
    room.accepted("release", "--signature", "other", "--to", "dist-other")
    (descriptor,) = room.accepted("get", "cv", f"dist-other//{NAME}:1.0.0", "-o", "json").json
    assert [one["name"] for one in descriptor["signatures"]] == ["other"]


def test_signatures_that_were_added_at_the_destination_stay(room):
    room.accepted("release")
    room.accepted("key", "new", "auditor", "--out", "keys")
    reference = f"ctf//{NAME}:1.0.0"
    key = ("--key", "keys/auditor.private.pem", "--signature", "audit")
    room.accepted("sign", "cv", reference, *key)
    room.accepted("release", "--from-step", "sign")
    (descriptor,) = room.accepted("get", "cv", reference, "-o", "json").json
    assert [one["name"] for one in descriptor["signatures"]] == ["default", "audit"]


def test_a_signature_of_that_name_by_somebody_else_is_refused(room):
    room.accepted("release")
    room.accepted("key", "new", "auditor", "--out", "keys")
    ran = room("release", "--key", "keys/auditor.private.pem")
    assert ran.code == 4, ran
    assert room.digest()


@pytest.mark.skipif(not shutil.which("gpg"), reason="needs gpg")
def test_an_openpgp_key_signs_too(room):
    key = ("--key", KEYS / "test-gpg.secret.asc")
    room.accepted("release", *key)
    public = ("--key", KEYS / "test-gpg.public.asc")
    room.accepted("verify", "cv", f"ctf//{NAME}:1.0.0", *public)
    assert room.results(*key) == PUBLISHED
    shutil.rmtree(room.folder / "dist")
    assert room.released(*key)["sign"]["detail"].startswith("signed already")


@pytest.mark.parametrize("source", ["git", "env", "pyproject"])
def test_the_version_comes_from_where_the_project_says(room, source, monkeypatch):
    form = "{from: env, name: RELEASED}" if source == "env" else f"{{from: {source}}}"
    room.write("ocm-pkg.yaml", YAML.replace("version: 1.0.0", f"version: {form}"))
    room.write("pyproject.toml", '[project]\nname = "hello"\nversion = "2.3.4"\n')
    monkeypatch.setenv("RELEASED", "2.3.4")
    room.commit()
    room.git("tag", "v2.3.4")
    assert room.accepted("release").out == f"./ctf//{NAME}:2.3.4\n"


def test_the_staging_folder_and_the_state_are_in_dist(room):
    room.accepted("release")
    assert {"release.ctf", "release.json", "part.json"} <= set(names(room.folder / "dist"))
    assert room.state() == STEPS


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("objdump") is None, reason="needs Linux with binutils"
)
def test_a_new_project_is_released_and_its_plugin_installed(tmp_path):
    command = Command(tmp_path / "home")
    command.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def accepted(*words, cwd=tmp_path):
        ran = command(*words, cwd=cwd, timeout=180)
        assert ran.code == 0, ran
        return ran

    accepted("init", "hello")
    accepted("key", "new")
    project = tmp_path / "hello"
    host = accepted("build", "--plan", "-o", "json", cwd=project).json["host"]
    only_here(project / "ocm-pkg.yaml", host)
    said = accepted("release", "-o", "json", cwd=project).json
    assert said["targets"][0]["platform"] == host
    assert f"{host} ok" in said["steps"][2]["detail"]
    reference = f"{said['repository']}//{said['component']}:{said['version']}"
    installed = accepted("plugin", "install", reference, "-o", "json", cwd=project).json
    assert installed["signature"]["name"] == "default"
    with serving("registry", "--writable", cwd=tmp_path) as server:
        accepted("release", "--to", f"{server.url}/acme", cwd=project)
        remote = f"{server.url}/acme//{said['component']}:{said['version']}"
        assert f"sha256:{accepted('hash', 'cv', remote).out.strip()}" == said["digest"]


def only_here(file, host):
    """Leave only the target of this machine in a project file."""
    lines = file.read_text().splitlines()
    start = 1 + next(at for at, line in enumerate(lines) if line.startswith("targets:"))
    end = next(
        (at for at in range(start, len(lines)) if not lines[at].startswith((" ", "#"))), len(lines)
    )
    file.write_text("\n".join([*lines[:start], f"  - {host}", *lines[end:], ""]))
