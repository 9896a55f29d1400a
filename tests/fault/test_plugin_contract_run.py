"""``ocm-pkg test``: good plugins pass, each fault is named by its check; sessions replay."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ocm_pkg.errors import AlreadyExistsError, InvalidDocumentError
from ocm_pkg.plugin.contract_run import replay, run_contract
from ocm_pkg.plugin.limits import Limits
from ocm_pkg.plugin.manager import PluginManager
from ocm_pkg.plugin.recording import append_to_session, read_session
from tests.fakes.plugins import own_children, write_plugin

QUICK = Limits(probe=3, start=1.5, grace=0.4)


@pytest.fixture(autouse=True)
def _no_process_is_left():
    before = own_children()
    yield
    assert own_children() <= before


def results(path, **options):
    checks = run_contract(path, environment=os.environ, limits=QUICK, **options)
    assert all(check.ms >= 0 for check in checks)
    return {check.check: check.result for check in checks}, {c.check: c.detail for c in checks}


@pytest.mark.parametrize("contract", ["adr", "v2", "both"])
def test_a_good_plugin_passes_every_check(tmp_path, contract):
    found, _ = results(write_plugin(tmp_path, "plug", contract=contract))
    assert found == {
        "capabilities": "ok",
        "start": "ok",
        "health": "ok",
        "unknown path": "ok",
        "componentVersionRepository: identity": "ok",
        "componentVersionRepository: versions": "ok",
        "shutdown": "ok",
        "idle exit": "ok",
    }


@pytest.mark.parametrize(
    ("switches", "check", "result", "words"),
    [
        ({"capabilities": "no"}, "capabilities", "failed", "not one JSON value"),
        ({"die": "start"}, "start", "failed", "exit status 3"),
        ({"health": 404}, "health", "warning", "404"),
        ({"answer": {"/ocm-pkg-contract-test": [200, ""]}}, "unknown path", "failed", "200"),
        (
            {"answer": {"/component-versions": [200, "{}"]}},
            "componentVersionRepository: versions",
            "failed",
            "not an array",
        ),
        (
            {"answer": {"/component-versions": [201, "[]"]}},
            "componentVersionRepository: versions",
            "failed",
            "success is 200",
        ),
        (
            {"answer": {"/identity": [404, "404 page not found"]}},
            "componentVersionRepository: identity",
            "warning",
            "404",
        ),
        ({"ignore_term": True}, "shutdown", "failed", "took no notice of SIGTERM"),
        ({"ignore_idle": True}, "idle exit", "failed", "still runs"),
    ],
    ids=str,
)
def test_each_fault_is_named_by_its_check(tmp_path, monkeypatch, switches, check, result, words):
    monkeypatch.setattr("ocm_pkg.plugin.contract_run._IDLE_PATIENCE", 1.0)
    found, details = results(write_plugin(tmp_path, "plug", **switches))
    assert found[check] == result
    assert words in details[check]
    assert {name for name, one in found.items() if one != "ok"} == {check}


def record(path, session):
    with PluginManager([], environment=os.environ, limits=QUICK) as manager:
        for method, target, body in (
            ("GET", "/component-versions?name=x", None),
            ("POST", "/echo", {"a": [1, {"b": None}]}),
            ("GET", "/nope", None),
        ):
            manager.call(
                str(path),
                method,
                target,
                body,
                recorder=lambda exchange: append_to_session(session, path.name, exchange),
            )


def test_a_recorded_session_replays_and_a_changed_answer_fails(tmp_path):
    session = tmp_path / "session.json"
    plugin = write_plugin(tmp_path, "plug")
    record(plugin, session)
    exchanges = read_session(session)
    checks = replay(plugin, exchanges, environment=os.environ, limits=QUICK)
    assert [check.result for check in checks] == ["ok"] * 4
    plugin = write_plugin(tmp_path, "plug", versions=["3.0.0", "2.0.0"])
    checks = replay(plugin, exchanges, environment=os.environ, limits=QUICK)
    assert [check.result for check in checks] == ["ok", "failed", "ok", "ok"]
    assert checks[1].detail == "the answer differs from the recorded one at [0]"


def test_credentials_are_not_recorded_and_their_requests_are_not_replayed(tmp_path):
    session = tmp_path / "session.json"
    plugin = write_plugin(tmp_path, "plug")
    with PluginManager([], environment=os.environ, limits=QUICK) as manager:
        manager.call(
            str(plugin),
            "POST",
            "/echo",
            {},
            credentials={"type": "Credentials/v1", "properties": {"password": "s3cret"}},
            recorder=lambda exchange: append_to_session(session, "plug", exchange),
        )
    assert "s3cret" not in session.read_text()
    assert session.stat().st_mode & 0o777 == 0o600
    checks = replay(plugin, read_session(session), environment=os.environ, limits=QUICK)
    assert [check.result for check in checks] == ["ok", "skipped"]


def test_a_file_that_is_no_session_is_neither_read_nor_changed(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"plugin":"other","exchanges":[]}')
    with pytest.raises(AlreadyExistsError):
        append_to_session(path, "plug", None)
    assert path.read_text() == '{"plugin":"other","exchanges":[]}'
    for text in ("[]", '{"exchanges":[{}]}', '{"exchanges":[{"request":{},"response":{}}]}'):
        path.write_text(text)
        with pytest.raises(InvalidDocumentError):
            read_session(path)


def run_cli(cwd, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "ocm_pkg", "test", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "HOME": str(cwd)},
    )


def test_the_command_prints_a_table_or_json_and_ends_with_7_on_failure(tmp_path):
    write_plugin(tmp_path, "plug")
    done = run_cli(tmp_path, "./plug")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == ["CHECK", "RESULT", "MS", "DETAIL"]
    write_plugin(tmp_path, "bad", die="start")
    done = run_cli(tmp_path, "bad", "-o", "json")
    assert done.returncode == 7
    report = json.loads(done.stdout)
    assert report["result"] == "failed"
    assert [check["result"] for check in report["checks"]] == ["ok", "failed"]
    done = run_cli(tmp_path, "bad")
    assert done.returncode == 7
    assert "error[E704]: bad fails 1 of 2 checks: start" in done.stderr


def test_the_command_finds_installed_plugins_and_says_what_is_missing(tmp_path):
    write_plugin(tmp_path / "plugins", "plug")
    done = run_cli(tmp_path, "plug", "--plugin-directory", "plugins")
    assert done.returncode == 0, done.stderr
    assert run_cli(tmp_path, "nobody", "--plugin-directory", "plugins").returncode == 3
    assert run_cli(tmp_path).returncode == 3
    session = tmp_path / "session.json"
    record(tmp_path / "plugins" / "plug", session)
    done = run_cli(tmp_path, "./plugins/plug", "--replay", "session.json", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["checks"]) == 4
