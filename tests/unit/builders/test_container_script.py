"""The script that is run in a container: its steps, and what it says when one fails."""

from __future__ import annotations

import importlib.util
import json
import sys

import pytest

from ocm_pkg.builders.pyinstaller import HOOKS

CONFIG = "[global]\nindex-url = https://name:pass%40word@example.com/simple\ntimeout = 9\n"


@pytest.fixture
def script():
    path = HOOKS / "freeze-in-container.py"
    spec = importlib.util.spec_from_file_location("freeze_in_container", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def ran(script, monkeypatch):
    """Programs that would be run; those whose words have what is in ``failing`` fail."""
    calls, failing = [], []

    def run(argv, env, secrets=()):
        calls.append((argv, env, secrets))
        return not any(word in " ".join(argv) for word in failing)

    monkeypatch.setattr(script, "run", run)
    return calls, failing


def test_every_secret_in_an_address_is_known_the_longest_first(script):
    config = CONFIG + "proxy = http://token@proxy\nfind-links = /a\n\thttps://b:c@d\n"
    assert script.secrets_of(config) == (
        *("name:pass%40word", "pass%40word", "token"),
        *sorted(("b:c", "c"), key=len, reverse=True),
    )


def test_the_environment_is_made_from_hashed_wheels_alone(script, ran, tmp_path, monkeypatch):
    calls, _failing = ran
    (tmp_path / "locks").mkdir()
    for name in ("2-requirements.lock", "1-pyinstaller.lock"):
        (tmp_path / "locks" / name).touch()
    (tmp_path / "pip.conf").write_text(CONFIG)
    monkeypatch.setattr(script, "PIP_CONFIG", tmp_path / "pip.conf")
    script.environment(tmp_path, {"PATH": "/bin"})
    venv, *installs = calls
    assert venv[0][1:3] == ["-m", "venv"]
    assert [argv[-1].rpartition("/")[2] for argv, _env, _secrets in installs] == [
        *("1-pyinstaller.lock", "2-requirements.lock"),
    ]
    for argv, env, secrets in installs:
        assert {"--require-hashes", "--only-binary=:all:", "--no-cache-dir"} < set(argv)
        assert env["PIP_CONFIG_FILE"] == str(tmp_path / "pip.conf")
        assert secrets == ("name:pass%40word", "pass%40word")
        assert "word" not in " ".join(argv)


@pytest.mark.parametrize(
    ("failing", "reason"),
    [("-m venv", "can't make environments"), ("1-x.lock", "pip could not install x.lock")],
)
def test_a_step_that_fails_is_named(script, ran, tmp_path, capsys, failing, reason):
    ran[1].append(failing)
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/1-x.lock").touch()
    with pytest.raises(SystemExit) as caught:
        script.environment(tmp_path, {})
    assert caught.value.code == 3
    said = capsys.readouterr().out
    assert said.startswith("ocm-pkg: ")
    assert reason in said


@pytest.mark.usefixtures("ran")
def test_a_python_that_is_too_old_is_refused(script, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(script.sys, "version_info", (3, 9, 18))
    with pytest.raises(SystemExit):
        script.environment(tmp_path, {})
    assert capsys.readouterr().out == (
        "ocm-pkg: the image's python3 is Python 3.9, and plugins need 3.11 or newer\n"
    )


def test_without_binutils_pyinstaller_is_not_started(script, ran, tmp_path, capsys, monkeypatch):
    (tmp_path / "settings.json").write_text('{"arguments": [], "environment": {}}')
    monkeypatch.setattr(script.shutil, "which", lambda _name: None)
    with pytest.raises(SystemExit):
        script.freeze(tmp_path, {})
    assert "no objdump" in capsys.readouterr().out
    assert not ran[0]


@pytest.mark.parametrize("strip", [True, False])
def test_the_program_and_what_the_probe_says_are_left(script, ran, tmp_path, monkeypatch, strip):
    settings = {"arguments": ["--onefile"], "environment": {"A": "b"}, "packages": ["x", "y"]}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    python = tmp_path / "environment/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (tmp_path / "tool").mkdir()
    (tmp_path / "work/dist").mkdir(parents=True)
    (tmp_path / "work/dist/hello").touch()
    site = tmp_path / "environment/lib/python3.11/site-packages"
    (site / "x-1.dist-info").mkdir(parents=True)
    (site / "x-1.dist-info/METADATA").touch()
    lists = tmp_path / "work/build/hello/Analysis-00.toc"
    lists.parent.mkdir(parents=True)
    lists.write_text(repr(([], [("x", f"{site}/x.py", "PYMODULE"), ("os", "/os.py", "PYMODULE")])))
    found = {"objdump", "objcopy", *(["strip"] if strip else [])}
    monkeypatch.setattr(script.shutil, "which", lambda name: name if name in found else None)
    asked = []

    class Said:
        stdout = b"{}"

    monkeypatch.setattr(
        script.subprocess, "run", lambda argv, **_keywords: asked.append(argv) or Said
    )
    script.freeze(tmp_path, {"PATH": "/bin"})
    ((argv, env, _secrets),) = ran[0]
    assert argv[1:] == ["-m", "PyInstaller", *(["--strip"] if strip else []), "--onefile"]
    assert env == {"PATH": "/bin", "A": "b"}
    assert (tmp_path / "result/made/hello").is_file()
    assert (tmp_path / "result/tools.json").read_bytes() == b"{}"
    assert json.loads((tmp_path / "result/taken.json").read_bytes()) == ["x.py"]
    assert (tmp_path / "result/packages/x-1.dist-info/METADATA").is_file()
    assert asked[0][-3:] == [str(tmp_path / "tool/probe.py"), "x", "y"]


def test_secrets_are_not_in_what_a_program_says(script, monkeypatch, capsys):
    class Process:
        returncode = 0
        stdout = ("to https://name:word@example.com\n", "the word alone\n")

        def __enter__(self):
            return self

        def __exit__(self, *_error):
            return None

    monkeypatch.setattr(script.subprocess, "Popen", lambda *_a, **_k: Process())
    assert script.run(["pip"], {}, ("name:word", "word"))
    assert capsys.readouterr().out == "to https://****@example.com\nthe **** alone\n"
