"""Plugins on the SDK, driven by what the reference Go manager was recorded to do."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ocm_pkg.contract.capabilities import Capabilities
from tests.fakes.plugin_process import PROBE, environment, run, started
from tests.fakes.unix_http import call

VECTORS = Path(__file__).parents[1] / "vectors" / "plugin-contract"


def vector(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


SESSION = next(
    session
    for session in vector("manager-requests")["plugins"]
    if session["capabilities_printed"]["capabilities"][0]["type"] == "componentVersionRepository"
)
STARTS = vector("start-arguments")["cases"]
ADR = vector("adr-0001-examples")

# Where a plugin of ours deliberately starts although one of the Go SDK does not.
OURS = {
    "type socket": "the spelling of ADR 0001",
    "idleTimeout as text": "Go durations are read too",
    "server command": "the command of ADR 0001",
}


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="p") as name:
        yield Path(name)


def send(stream, request, body):
    """Send a recorded request byte for byte, but for the length of a changed body."""
    head = [f"{request['method']} {request['target']} HTTP/1.1"]
    for name, value in request["headers"]:
        head.append(f"{name}: {len(body) if name == 'Content-Length' else value}")
    stream.sendall("\r\n".join([*head, "", ""]).encode() + body)
    response = http.client.HTTPResponse(stream, method=request["method"])
    response.begin()
    return response.status, response.read()


def test_the_recorded_session_is_answered_as_recorded(folder):
    payload = folder / "payload"
    payload.write_bytes(b"hello-plugin-payload")
    capabilities, start = (entry["argv"] for entry in SESSION["runs"])
    printed = run(PROBE, capabilities, folder)
    assert (printed.returncode, printed.stderr) == (0, b"")
    ours = json.loads(printed.stdout)["capabilities"][0]
    theirs = SESSION["capabilities_printed"]["capabilities"][0]
    assert ours["type"] == theirs["type"]
    types = [entry["type"] for entry in ours["supportedRepositorySpecTypes"]]
    assert types == [entry["type"] for entry in theirs["supportedRepositorySpecTypes"]]

    with started(PROBE, start, folder) as plugin, socket.socket(socket.AF_UNIX) as stream:
        assert re.fullmatch(r"http\+unix:///.*\n", plugin.line)
        stream.connect(plugin.address.path)
        for exchange in SESSION["exchanges"]:
            request, expected = exchange["request"], exchange["response"]
            body = re.sub(r"<TMPDIR>/\w+<RANDOM>", str(payload), request["body"]).encode()
            status, answer = send(stream, request, body)
            assert status == expected["status"], request["target"]
            if "json" in expected:
                value = json.loads(answer)
                if "location" in value:
                    assert Path(value["location"]["value"]).is_file()
                    value["location"]["value"] = expected["json"]["location"]["value"]
                assert value == expected["json"], request["target"]
            else:
                assert answer == expected["body"].encode()
        plugin.process.send_signal(getattr(signal, SESSION["end_signal"]))
        status, out, err = plugin.wait()
    assert (status, out) == (0, "")
    assert "a stray line" in err
    assert [entry.name for entry in folder.iterdir()] == ["payload"]


@pytest.mark.parametrize("case", STARTS, ids=lambda case: case["case"])
def test_start_arguments_do_what_they_do_to_a_go_plugin(case, folder):
    arguments = [text.replace("/run/x.sock", f"{folder}/x.sock") for text in case["argv"]]
    with started(PROBE, arguments, folder) as plugin:
        if "idleTimeout" not in "".join(arguments):
            plugin.process.stdin.close()
            plugin.process.stdin = None
        status, out, err = plugin.wait()
    starts = case["case"] in OURS or case["exit"] == 0
    assert out == ""
    assert status == (0 if starts else case["exit"])
    last = json.loads(err.splitlines()[-1])
    if starts:
        scheme = "http://127.0.0.1:" if "tcp" in case["case"] else "http+unix:///"
        assert plugin.line.startswith(scheme)
        assert last["msg"] == "plugin ended"
    else:
        assert plugin.line == ""
        assert last["level"] == "ERROR"
        if case["error"] is not None:
            assert last["msg"] == case["error"]["msg"]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("case", ADR["start"], ids=lambda case: case["case"])
def test_a_plugin_starts_as_the_design_document_says(case, folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])

    def fill(value):
        text = json.dumps(value).replace("<DIR>", str(folder)).replace("65454", port)
        return json.loads(text)

    config = json.dumps(fill(case["config"]))
    arguments = [config if text == "<CONFIG>" else text for text in case["argv_tail"]]
    place = fill(case["listens_on"])
    with started(PROBE, arguments, folder) as plugin:
        if "unix" in place:
            assert plugin.address.path == place["unix"]
            assert stat.S_IMODE(Path(place["unix"]).stat().st_mode) == 0o600
        else:
            assert f"{plugin.address.host}:{plugin.address.port}" == place["tcp"]
        assert call(plugin.address, "GET", "/healthz").status == 200
        plugin.process.terminate()
        assert plugin.wait()[0] == 0
    assert list(folder.iterdir()) == []


def test_the_answer_to_capabilities_is_one_value_for_both_contracts(folder):
    found = Capabilities.parse(run(PROBE, ["capabilities", "ignored"], folder).stdout)
    assert found.contracts == ("adr", "v2")
    assert found.kinds[0].types[0].schema == {}


def test_stray_prints_before_serving_stay_off_stdout(folder):
    script = folder / "loud.py"
    script.write_text(
        "print('loud')\n"
        "from ocm_pkg.sdk import Plugin, serve\n"
        "raise SystemExit(serve(Plugin('loud')))\n"
    )
    result = run(script, ["capabilities"], folder)
    assert result.stdout == b'{"type":{},"capabilities":[]}\n'
    assert result.stderr == b"loud\n"


@pytest.mark.parametrize("end", ["SIGINT", "SIGTERM", "shutdown", "stdin"])
def test_every_way_to_end_a_plugin_leaves_nothing(end, folder):
    config = json.dumps({"id": "p", "type": "socket"})
    with started(PROBE, ["server", "--config", config], folder) as plugin:
        if end == "shutdown":
            with pytest.raises(http.client.RemoteDisconnected):
                call(plugin.address, "POST", "/shutdown")
        elif end == "stdin":
            plugin.process.stdin.close()
            plugin.process.stdin = None
        else:
            plugin.process.send_signal(getattr(signal, end))
        status, out, _ = plugin.wait()
    assert (status, out) == (0, "")
    assert list(folder.iterdir()) == []


def test_the_null_device_on_stdin_is_no_reason_to_end(folder):
    result = run(PROBE, ["--config", '{"id":"p","type":"unix","idleTimeout":"300ms"}'], folder)
    assert result.returncode == 0
    assert json.loads(result.stderr.splitlines()[-1])["reason"] == "idle"


def test_a_taken_socket_path_is_one_log_line_and_status_1(folder):
    path = folder / "p.sock"
    path.write_text("mine")
    config = json.dumps({"id": "p", "type": "socket", "location": str(path)})
    result = run(PROBE, ["server", "--config", config], folder)
    assert (result.returncode, result.stdout) == (1, b"")
    entry = json.loads(result.stderr)
    assert entry["level"] == "ERROR"
    assert str(path) in entry["msg"]
    assert path.read_text() == "mine"


def test_usage_is_shown_on_request(folder):
    result = run(PROBE, ["--help"], folder)
    assert result.returncode == 0
    assert b"server --config JSON" in result.stdout


def test_a_configuration_that_the_plugin_refuses_ends_it_with_a_log_line(folder):
    script = folder / "picky.py"
    script.write_text(
        "from ocm_pkg.sdk import Plugin, serve\n"
        "plugin = Plugin('picky')\n"
        "@plugin.configuration('c/v1')\n"
        "def configure(value): raise RuntimeError('not like this')\n"
        "raise SystemExit(serve(plugin))\n"
    )
    config = json.dumps({"id": "p", "type": "unix", "configTypes": [{"type": "c/v1"}]})
    result = run(script, ["--config", config], folder)
    assert result.returncode == 1
    assert "not like this" in json.loads(result.stderr)["error"]
    assert [entry.name for entry in folder.iterdir()] == ["picky.py"]


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-"])
def test_M26_a_closed_stream_is_no_traceback(closed, folder):
    command = f'exec "$0" "$1" capabilities {closed}'
    result = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, str(PROBE)],
        capture_output=True,
        env=environment(folder),
        timeout=20,
        check=False,
    )
    assert result.returncode in (0, 1)
    assert (result.returncode == 0) == result.stdout.startswith(b"{")
    assert b"Traceback" not in result.stdout + result.stderr


def test_M26_a_manager_that_stopped_reading_is_no_failure(folder):
    with started(PROBE, ["--config", '{"id":"p","type":"unix"}'], folder) as plugin:
        plugin.process.stderr.close()
        plugin.process.stdout.close()
        path = "/component-version/download?name=a&version=1"
        assert call(plugin.address, "GET", path).status == 404
        plugin.process.stdin.close()
        assert plugin.process.wait(20) == 0
        plugin.process.stdin = plugin.process.stdout = plugin.process.stderr = None
    assert list(folder.iterdir()) == []
