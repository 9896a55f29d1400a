"""What goes wrong with a release: clear errors, nothing half published, nothing done twice."""

from __future__ import annotations

import json
import shutil

import pytest
from cryptography.hazmat.primitives import serialization

from ocm_pkg.model.releasestate import STEPS
from tests.fakes.binaries import elf
from tests.fakes.release_room import IGNORED, NAME, YAML, needs_git
from tests.fakes.release_room import room as room  # noqa: PLC0414 - a fixture
from tests.fakes.trees import names, snapshot

pytestmark = needs_git
KILLED_AT_STEP = """
import os, signal, sys
from dataclasses import replace
from ocm_pkg.cli.main import run
from ocm_pkg.flows import release as flow
real, where = flow.release, sys.argv[1]

def point(name):
    if name == where:
        os.kill(os.getpid(), signal.SIGKILL)

flow.release = lambda job, from_step=None: real(replace(job, fail_point=point), from_step)
sys.exit(run(["release"]))
"""
KILLED_AT_RENAME = """
import os, signal, sys
from ocm_pkg.cli.main import run
left = int(sys.argv[1])

def hook(event, arguments):
    global left
    if event == "os.rename":
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
sys.exit(run(["release"]))
"""
RENAMES = 120
"""More than a release makes."""


def error_of(ran, code):
    assert ran.code == int(code[1]), ran
    error = ran.json["error"]
    assert error["code"] == code
    assert error["hint"]
    return error


@pytest.mark.parametrize("point", ["", ".done"], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_it_goes_on_and_the_same_is_released(room, step, point):
    done = room.process(KILLED_AT_STEP, f"release.{step}{point}")
    assert done.returncode == -9, done
    if STEPS.index(step) < STEPS.index("publish"):
        assert not (room.folder / "ctf").exists()
    room.accepted("release")
    assert room.runs == (2 if f"{step}{point}" == "build.done" else 1)
    assert room.digest() == whole(room)
    assert not [name for name in names(room.folder / "dist") if name.startswith(".ocm-pkg-tmp")]


def whole(room):
    """Return the digest of a release that nothing stopped."""
    room.accepted("release", "--out", "dist-whole", "--to", "dist-ctf")
    return room.digest("dist-ctf")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_any_rename_the_destination_is_whole_and_it_goes_on(room):
    wanted = whole(room)
    for count in range(RENAMES):
        for folder in ("dist", "ctf"):
            shutil.rmtree(room.folder / folder, ignore_errors=True)
        done = room.process(KILLED_AT_RENAME, str(count))
        if done.returncode == 0:
            assert count > 20
            return
        assert done.returncode == -9, done
        if room("get", "cv", f"ctf//{NAME}:1.0.0").code == 0:
            assert room.digest() == wanted
        room.accepted("release")
        assert room.digest() == wanted, count
    pytest.fail("there are more renames than that")


def test_without_a_key_nothing_is_begun(room):
    room.write("ocm-pkg.yaml", YAML.partition("sign:")[0])
    room.commit()
    error = error_of(room("release", "-o", "json"), "E305")
    assert "there is no key" in error["message"]
    assert "ocm-pkg key new" in error["hint"]
    assert not (room.folder / "runs").exists()
    assert not (room.folder / "dist").exists()


def test_a_key_that_is_no_key_stops_it_before_the_build(room):
    room.write("keys/release.private.pem", "no key")
    assert room("release").code == 2
    assert not (room.folder / "runs").exists()


def test_a_destination_that_does_not_answer_stops_it_before_the_build(room):
    error = error_of(room("release", "--to", "http://127.0.0.1:1/acme", "-o", "json"), "E503")
    assert "127.0.0.1:1" in error["message"]
    assert not (room.folder / "runs").exists()


def test_a_version_that_was_released_from_another_commit_is_refused_before_the_build(room):
    room.accepted("release")
    before, runs = snapshot(room.folder / "ctf"), room.runs
    room.write("program.txt", "new")
    room.commit()
    error = error_of(room("release", "-o", "json"), "E801")
    assert "already, with other content" in error["message"]
    assert error["detail"][0].startswith("commit: there ")
    assert room.runs == runs
    assert snapshot(room.folder / "ctf") == before


def test_a_version_for_other_platforms_is_refused_before_the_build(room):
    room.accepted("release")
    runs = room.runs
    room.write("ocm-pkg.yaml", YAML.replace("darwin/amd64", "darwin/riscv64"))
    room.commit()
    error = error_of(room("release", "-o", "json"), "E801")
    assert "darwin/amd64, darwin/arm64" in error["detail"][0]
    assert room.runs == runs


def test_other_content_of_the_same_commit_is_refused_before_it_is_signed(room):
    room.write("make.sh", 'echo run >> runs\nmkdir -p out\ncat program runs > "$OCM_PKG_OUTPUT"\n')
    room.commit()
    room.accepted("release")
    before = snapshot(room.folder / "ctf")
    shutil.rmtree(room.folder / "dist")
    assert room("release").code == 8
    assert room.state() == ["check", "build", "test"]
    assert snapshot(room.folder / "ctf") == before


def test_a_target_that_nobody_built_is_named_before_the_build_with_its_machine(room):
    foreign = "  - {platform: darwin/ppc64, builder: pyinstaller, entry: make.sh}\nsign:"
    room.write("ocm-pkg.yaml", YAML.replace("sign:", foreign))
    room.commit()
    error = error_of(room("release", "-o", "json"), "E600")
    assert "without darwin/ppc64" in error["message"]
    assert "darwin/ppc64" in error["detail"][0]
    assert "merge" in error["hint"]
    assert not (room.folder / "runs").exists()


@pytest.mark.parametrize("how", ["option", "project file"])
def test_targets_may_be_missing_where_that_is_said(room, how):
    foreign = "  - {platform: darwin/ppc64, builder: pyinstaller, entry: make.sh}\nsign:"
    text = YAML.replace("sign:", foreign)
    if how == "project file":
        text += "require: {all-targets: false}\n"
    room.write("ocm-pkg.yaml", text)
    room.write("make.sh.py", "")
    room.write("ocm-pkg.yaml", text.replace("entry: make.sh", "entry: make.sh.py"))
    room.commit()
    steps = room.released(*(["--partial"] if how == "option" else []))
    assert "without darwin/ppc64" in steps["build"]["detail"]


def test_a_plugin_that_fails_its_contract_run_is_not_packaged(room):
    host = room.accepted("build", "--plan", "-o", "json").json["host"]
    machine = {"linux/amd64": 62, "linux/arm64": 183}.get(host)
    if machine is None:
        pytest.skip("needs Linux on amd64 or arm64")
    (room.folder / "own").write_bytes(elf(machine))
    target = f"  - {{platform: {host}, builder: prebuilt, path: own}}\nsign:"
    room.write("ocm-pkg.yaml", YAML.replace("sign:", target))
    room.commit()
    error = error_of(room("release", "-o", "json"), "E704")
    assert host in error["message"]
    assert error["detail"][0].startswith(f"{host}: capabilities: ")
    assert room.state() == ["check", "build"]
    assert not (room.folder / "ctf").exists()


def test_a_wrong_password_stops_it_before_the_build(room):
    path = room.folder / "keys/release.private.pem"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    path.write_bytes(key.private_bytes(*form, serialization.BestAvailableEncryption(b"right")))
    room.write("keys/password", "wrong")
    error = error_of(room("release", "--password-file", "keys/password", "-o", "json"), "E200")
    assert "password" in error["message"]
    assert not (room.folder / "runs").exists()
    room.write("keys/password", "right")
    room.accepted("release", "--password-file", "keys/password")


def test_what_was_changed_after_it_was_built_is_not_released(room):
    room.accepted("build")
    (room.folder / "dist/hello.darwin-arm64").write_bytes(b"something else")
    assert room("release", "--from-step", "package").code == 4
    assert not (room.folder / "ctf").exists()


def test_sources_that_change_while_they_are_built_are_not_released(room):
    room.write("make.sh", 'mkdir -p out\ncp program "$OCM_PKG_OUTPUT"\necho >> make.sh\n')
    room.commit()
    ran = room("release")
    assert ran.code == 6, ran
    assert "changed while" in ran.err
    assert not (room.folder / "ctf").exists()


@pytest.mark.parametrize("kind", ["changed", "new"])
def test_files_that_are_in_no_commit_are_not_released(room, kind):
    room.write("make.sh" if kind == "changed" else "extra", "mkdir -p out\ncp program out/hello\n")
    error = error_of(room("release", "-o", "json"), "E210")
    assert "no commit" in error["message"] or "differ from the commit" in error["message"]
    assert "--allow-dirty" in error["hint"]
    assert not (room.folder / "runs").exists()
    assert room("release", "--allow-dirty").code == 0


def test_what_was_built_from_another_commit_is_not_packaged(room):
    room.accepted("build")
    room.write("extra", "x")
    room.commit()
    ran = room("release", "--from-step", "package")
    assert ran.code == 3
    assert "was built from other sources: commit: was" in ran.err
    assert not (room.folder / "ctf").exists()


def test_a_state_of_something_else_does_not_hurt(room):
    (room.folder / "dist").mkdir()
    room.write("dist/release.json", json.dumps({"formatVersion": 1, "steps": "all"}))
    ran = room.accepted("release")
    assert "starting again" in ran.err
    assert room.digest()


def test_a_folder_of_somebody_else_is_not_cleared(room):
    (room.folder / "dist/release.ctf").mkdir(parents=True)
    room.write("dist/release.ctf/thesis.txt", "years of work")
    error = error_of(room("release", "-o", "json"), "E800")
    assert "is no CTF" in error["message"]
    assert (room.folder / "dist/release.ctf/thesis.txt").read_text() == "years of work"


def test_the_folder_where_releases_are_prepared_is_no_destination(room):
    error = error_of(room("release", "--to", "dist/release.ctf", "-o", "json"), "E200")
    assert "prepared" in error["message"]


def test_nobody_is_told_to_commit_the_key(room):
    room.write(".gitignore", IGNORED.replace("/keys/\n", ""))
    room.git("add", ".gitignore", "keys/release.public.pem")
    room.git("commit", "--quiet", "--message", "public")
    room.accepted("release")


def test_a_staged_release_that_was_changed_is_made_again(room):
    room("release", "--to", "dist-first")
    index = room.folder / "dist/release.ctf/artifact-index.json"
    index.write_text('{"schemaVersion": 1, "artifacts": []}')
    ran = room.accepted("release", "--to", "dist-second")
    assert "package again" in ran.err
    assert room.digest("dist-first") == room.digest("dist-second")
