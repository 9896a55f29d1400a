"""A plugin that leaves by idle time in the moment a call arrives."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

import pytest

from ocm_pkg.contract.config import PluginConfig
from ocm_pkg.sdk.http import Response
from ocm_pkg.sdk.idle import IdleTracker
from ocm_pkg.sdk.log import Log
from ocm_pkg.sdk.main import listen
from ocm_pkg.sdk.server import Server
from tests.fakes.unix_http import call

IDLE_NS = 2_000_000


@pytest.mark.parametrize(
    "rounds", [100, pytest.param(1000, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_M13_a_call_is_carried_out_once_and_answered_or_not_at_all(rounds):
    carried_out, outcomes = [], {"answered": 0, "refused": 0, "told": 0}

    def answer(request):
        carried_out.append(request.path)
        return Response(200, b"done")

    with tempfile.TemporaryDirectory(prefix="p") as folder, Path("/dev/null").open("wb") as null:
        for number in range(rounds):
            listener = listen(PluginConfig("p", "socket"), {"TMPDIR": folder})
            idle = IdleTracker(IDLE_NS, time.monotonic_ns)
            server = Server(listener, answer, idle=idle, log=Log(null.fileno()))
            thread = threading.Thread(target=server.run)
            thread.start()
            time.sleep(IDLE_NS / 1e9 * (0.5 + number % 20 / 10))
            try:
                status = call(listener.address, "POST", f"/{number}").status
                outcomes["answered" if status == 200 else "told"] += 1
                done = status == 200
                assert status in (200, 503)
            except OSError:
                outcomes["refused"] += 1
                done = False
            thread.join(20)
            server.close()
            assert carried_out.count(f"/{number}") == done
        assert list(Path(folder).iterdir()) == []
    assert outcomes["answered"]
    assert outcomes["refused"]
