"""Calls that go wrong, and stops, against real processes."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from pathlib import Path

import pytest

from ocm_pkg.errors import (
    PluginCallError,
    PluginProtocolError,
    PluginTimeoutError,
)
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.plugin.limits import ClientLimits, Limits
from ocm_pkg.plugin.manager import Hooks
from tests.fakes.plugin_room import CallRoom
from tests.fakes.plugins import alive, own_children

VERSIONS = "/component-versions?name=example.com/x"
CONTENT = b"the content"
NAME, VERSION = "example.com/plugins/hello", "1.2.0"
SPEC = RepositorySpec("Scripted/v1", "here")
OK = "HTTP/1.1 200 OK\r\n"
DOWNLOAD = "/component-version/download"


@pytest.fixture
def room():
    before = own_children()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        room = CallRoom(Path(folder))
        yield room
        assert list(room.private.iterdir()) == []
    assert own_children() <= before


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", "redirect"),
        ("HTTP/1.1 100 Continue\r\n\r\n" * 50, "interim"),
        (OK + "Transfer-Encoding: chunked\r\n\r\n" + "1\r\nx\r\n" * 300, "larger than 200"),
        (OK + "Content-Length: 1000000\r\n\r\n", "larger than 200"),
        (OK + "".join(f"X-{n}: y\r\n" for n in range(200)) + "\r\n", "headers"),
        (OK + "X: " + "y" * 100_000 + "\r\n\r\n", "longer than"),
        (OK + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "differ"),
        (OK + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "cannot be told"),
        (OK + "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", "compressed"),
        ("SSH-2.0-OpenSSH\r\n", "not HTTP"),
    ],
    ids=lambda text: text[:20],
)
def test_M12_answers_that_break_the_rules_are_refused_within_limits(room, answer, words):
    limits = Limits(grace=0.5, client=ClientLimits(body=200, call=5))
    with (
        room.manager(limits, raw={"/component-versions": answer}) as manager,
        pytest.raises(PluginProtocolError, match=words) as caught,
    ):
        manager.call("plug", "GET", VERSIONS)
    assert caught.value.message.startswith("plugin plug: ")
    assert caught.value.hint
    assert "phase: call" in caught.value.detail


@pytest.mark.parametrize(
    "text", ["", "null", "{}", '["1.0.0", 2]', "[not json", '["1.0.0"] tail', '["not a version!"]']
)
def test_M12_wrong_json_and_json_of_the_wrong_type_are_refused(room, text):
    with (
        room.manager(answer={"/component-versions": [200, text]}) as manager,
        pytest.raises(PluginProtocolError),
    ):
        manager.open(SPEC).versions(NAME)


def test_M12_an_answer_cut_short_is_an_error_that_says_so(room):
    raw = {"/echo": OK + "Content-Length: 100\r\n\r\nabc"}
    with (
        room.manager(raw=raw) as manager,
        pytest.raises(PluginCallError, match="97 bytes before the end"),
    ):
        manager.call("plug", "POST", "/echo", {})
    assert len(room.calls()) == 1


@pytest.mark.parametrize("status", [201, 202, 204, 400, 500])
def test_success_is_exactly_200_and_the_text_of_an_error_is_escaped(room, status):
    text = "" if status == 204 else "disk full\x1b[2J\nerror[E100]: forged"
    with room.manager(answer={"/component-versions": [status, text]}) as manager:
        assert manager.call("plug", "GET", VERSIONS).status == status
        with pytest.raises(PluginCallError) as caught:
            manager.open(SPEC).versions(NAME)
    message = caught.value.message
    assert f"status {status}" in message
    assert message.isprintable()
    assert status == 204 or "disk full\\x1b[2J\\nerror" in message


def test_M24_a_call_that_never_answers_ends_at_its_limit(room):
    limits = Limits(grace=0.3)
    with room.manager(limits, hang="call") as manager:
        began = time.monotonic()
        with pytest.raises(PluginTimeoutError, match=r"within 0\.5 s"):
            manager.call("plug", "GET", VERSIONS, timeout=0.5)
        assert time.monotonic() - began < 4
        assert manager.call("plug", "GET", "/healthz").status == 200
        assert manager.instance("plug").starts == 1, "it still answers, so others may use it"


def test_M25_a_stopped_plugin_is_a_clear_time_out_and_is_replaced(room):
    import signal

    limits = Limits(grace=0.3)
    with room.manager(limits) as manager:
        instance = manager.instance("plug")
        manager.call("plug", "GET", VERSIONS)
        pid = instance.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(PluginTimeoutError):
            manager.call("plug", "GET", VERSIONS, timeout=0.3)
        assert not alive(pid)
        assert manager.call("plug", "GET", VERSIONS).status == 200


def test_M05_a_plugin_that_ignores_sigterm_is_killed_after_the_grace_time(room):
    with room.manager(Limits(grace=0.4), ignore_term=True) as manager:
        manager.call("plug", "GET", VERSIONS)
        pid = manager.instance("plug").pid
        began = time.monotonic()
    assert 0.3 < time.monotonic() - began < 4
    assert pid is not None
    assert not alive(pid)


def test_the_manager_stops_a_plugin_that_does_not_leave_when_idle(room, monkeypatch):
    monkeypatch.setattr("ocm_pkg.plugin.instance._IDLE_SLACK", 0.2)
    with room.manager(ignore_idle=True, options={"idle_timeout": 0.1}) as manager:
        manager.call("plug", "GET", VERSIONS)
        assert manager.instance("plug").wait_for_exit(5) == 0


def test_M22_log_lines_are_repeated_escaped_and_cannot_forge_a_prefix(room, caplog):
    lines = [
        '{"level":"ERROR","msg":"bad \\n plugin other: fine","path":"/x\\u001b[31m"}',
        '{"level":7,"msg":{"a":1}}',
        "plain \x1b[2J text",
        "x" * 200_000,
        '{"level":"INFO","msg":"' + "y" * 100_000 + '"}',
    ]
    with (
        caplog.at_level(logging.DEBUG, "ocm_pkg.plugin.logs"),
        room.manager(stderr="\n".join(lines)) as manager,
    ):
        manager.call("plug", "GET", VERSIONS)
    shown = [record.getMessage() for record in caplog.records]
    assert all(text.startswith("plugin plug: ") and text.isprintable() for text in shown)
    assert all(len(text) < 5000 for text in shown)
    first = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert first.getMessage() == ("plugin plug: bad \\n plugin other: fine path=/x\\x1b[31m")


def test_credentials_go_in_the_header_and_an_identity_request_has_none(room):
    secret = {"type": "Credentials/v1", "properties": {"password": 'p"ä'}}
    asked = []

    def credentials(identity):
        asked.append(dict(identity))
        return secret

    answer = {"/identity": [200, json.dumps({"identity": {"type": "X/v1", "hostname": "h"}})]}
    hooks = Hooks(credentials=credentials)
    with room.manager(answer=answer, options={"hooks": hooks}) as manager:
        manager.open(SPEC).versions(NAME)
        manager.call("plug", "GET", VERSIONS)
    assert asked == [{"type": "X/v1", "hostname": "h"}]
    identity, versions, bare = room.calls()
    assert "uthorization" not in identity
    assert (
        'Authorization: {"type":"Credentials/v1","properties":{"password":"p\\"\\u00e4"}}'
        in versions
    )
    assert "Authorization: {} " in bare


@pytest.mark.parametrize("answer", [[404, "404 page not found"], [500, "no"], [200, "null"]])
def test_a_plugin_that_gives_no_identity_is_called_without_credentials(room, answer):
    hooks = Hooks(credentials=lambda _: pytest.fail("there is no identity"))
    with room.manager(answer={"/identity": answer}, options={"hooks": hooks}) as manager:
        manager.open(SPEC).versions(NAME)
    assert "Authorization: {} " in room.calls()[-1]
