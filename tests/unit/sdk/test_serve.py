from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import threading
import time

import pytest

from ocm_pkg.sdk import Plugin, main, serve
from ocm_pkg.sdk.log import Log


@pytest.fixture
def program(monkeypatch):
    """Run ``serve`` with pipes for stdout and stderr; return status, stdout, log lines."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(arguments, plugin=None):
        answers, log = os.pipe(), os.pipe()
        monkeypatch.setattr(main.os, "dup", lambda _: answers[1])
        monkeypatch.setattr(main.os, "dup2", lambda *_: None)
        monkeypatch.setattr(main, "Log", lambda: Log(log[1]))
        status = serve(plugin or Plugin("p"), arguments)
        for pipe in (answers, log):
            os.close(pipe[1])
        out, err = os.read(answers[0], 10**6).decode(), os.read(log[0], 10**6).decode()
        for pipe in (answers, log):
            os.close(pipe[0])
        return status, out, [json.loads(line) for line in err.splitlines()]

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def config(**extra):
    return json.dumps({"id": "p", "type": "unix", "idleTimeout": "10ms", **extra})


def test_capabilities_are_all_that_is_printed(program):
    assert program(["capabilities"]) == (0, '{"type":{},"capabilities":[]}\n', [])


def test_usage_is_printed_on_request(program):
    status, out, log = program(["--help"])
    assert (status, log) == (0, [])
    assert "capabilities" in out


def test_a_server_prints_its_address_and_ends_when_idle(program):
    status, out, log = program(["server", "--config", config()])
    assert (status, out[:13]) == (0, "http+unix:///")
    assert (log[-1]["msg"], log[-1]["reason"]) == ("plugin ended", "idle")


def test_the_arguments_of_the_process_are_the_default(program, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["p", "capabilities"])
    assert program(None)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 1, "missing required flag --config"),
        (["--config", "{"], 1, "the plugin configuration is not one JSON value"),
        (["--config", '{"type":"unix"}'], 1, "plugin config has no ID"),
        (["--config", config(idleTimeout=0)], 2, "isn't more than 0"),
        (["--config", config(location="relative")], 1, "is not absolute"),
        (["--config", config(type="tcp", location="192.0.2.1:1")], 1, "not on loopback"),
        (["--zzz"], 2, "not defined: -zzz"),
    ],
)
def test_a_plugin_that_cannot_start_says_why_in_one_log_line(program, arguments, status, message):
    found, out, log = program(arguments)
    assert (found, out, len(log)) == (status, "", 1)
    assert log[0]["level"] == "ERROR"
    assert message in log[0]["msg"]


def test_configuration_that_fails_ends_the_plugin_and_leaves_no_socket(program):
    plugin = Plugin("p")

    @plugin.configuration("c/v1")
    def configure(_value):
        raise RuntimeError("not like this")

    status, out, log = program(["--config", config(configTypes=[{"type": "c/v1"}])], plugin)
    assert status == 1
    assert "not like this" in log[-1]["error"]
    path = out.strip().removeprefix("http+unix://")
    assert path
    assert not os.path.lexists(path)


def test_a_stdout_that_nobody_reads_is_no_failure_at_the_end(monkeypatch):
    class Broken:
        def flush(self):
            raise BrokenPipeError

    moved = []
    monkeypatch.setattr(main.os, "dup2", lambda *numbers: moved.append(numbers))
    for stream in (None, Broken()):
        monkeypatch.setattr(main.sys, "stdout", stream)
        main._flush_stdout()
    assert [to for _, to in moved] == [1]
    os.close(moved[0][0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_a_signal_that_interrupts_no_system_call_ends_the_waiting(program, monkeypatch, number):
    """As when it comes just before the wait, or to another thread."""
    patience = config(idleTimeout="60s")
    loop = main.Server.run

    def run(server):
        threading.Timer(0.02, _thread.interrupt_main, [number]).start()
        return loop(server)

    monkeypatch.setattr(main.Server, "run", run)
    began = time.monotonic()
    status, _, log = program(["server", "--config", patience])
    assert (status, log[-1]["reason"]) == (0, "stopped")
    assert time.monotonic() - began < 10


def test_another_signal_ends_nothing(program, monkeypatch):
    loop = main.Server.run
    former = signal.signal(signal.SIGUSR1, lambda *_: None)

    def run(server):
        signal.raise_signal(signal.SIGUSR1)
        return loop(server)

    monkeypatch.setattr(main.Server, "run", run)
    try:
        assert program(["server", "--config", config()])[2][-1]["reason"] == "idle"
    finally:
        signal.signal(signal.SIGUSR1, former)
