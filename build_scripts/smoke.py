"""Ask a plugin's binary for its capabilities, start it, call it, stop it.

Prints cold start (the whole of `capabilities`), start of the server until it answers, both in
milliseconds, and the size in bytes, as JSON. Standard library only: it runs where nothing is
installed. Exit status 1, with the reason on standard error, if the binary fails at any step.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

IDLE_NS = 60 * 1_000_000_000


class SmokeError(Exception):
    """The binary failed a step."""


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix domain socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def capabilities(binary: Path, timeout: float) -> tuple[dict[str, object], float]:
    """Return what the binary says it can do, and how long it took."""
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603 (the binary that was named)
        [str(binary), "capabilities"], capture_output=True, timeout=timeout, check=False
    )
    seconds = time.monotonic() - began
    if done.returncode:
        raise SmokeError(f"capabilities ended with {done.returncode}: {_last(done.stderr)}")
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise SmokeError(f"capabilities is not JSON: {error}") from error
    if not isinstance(answer, dict) or not ("type" in answer or "capabilities" in answer):
        raise SmokeError("capabilities has neither type nor capabilities")
    return answer, seconds


def serve(binary: Path, answer: dict[str, object], timeout: float) -> tuple[float, float]:
    """Start the server, call it, stop it; return the seconds of the start and of the stop."""
    adr = "type" in answer
    with tempfile.TemporaryDirectory(prefix="smoke-") as folder:
        config = {
            "id": "smoke",
            "type": "socket" if adr else "unix",
            "location": str(Path(folder, "plugin.sock")),
            "idleTimeout": IDLE_NS,
            **({} if adr else {"pluginType": ""}),
        }
        command = [str(binary), *(["server"] if adr else []), "--config", json.dumps(config)]
        began = time.monotonic()
        child = subprocess.Popen(  # noqa: S603 (the binary that was named)
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        watchdog = threading.Timer(timeout, child.kill)
        watchdog.start()
        try:
            connection = _connect(child, timeout)
            _healthy(connection)
            started = time.monotonic() - began
            began = time.monotonic()
            child.terminate()
            child.communicate()
            if time.monotonic() - began >= timeout:
                raise SmokeError(f"it did not stop within {timeout:g} s")
        finally:
            watchdog.cancel()
            child.kill()
            child.communicate()
    return started, time.monotonic() - began


def _connect(child: subprocess.Popen[bytes], timeout: float) -> http.client.HTTPConnection:
    """Wait for the line that says where it listens."""
    assert child.stdout is not None  # noqa: S101 (a pipe was asked for)
    for raw in child.stdout:
        line = raw.decode(errors="replace").strip()
        if line.startswith("http+unix://"):
            return SocketConnection(line.removeprefix("http+unix://"), timeout)
        if line.startswith("http://"):
            return http.client.HTTPConnection(line.removeprefix("http://"), timeout=timeout)
    raise SmokeError(f"the server ended, or did not say within {timeout:g} s where it listens")


def _healthy(connection: http.client.HTTPConnection) -> None:
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise SmokeError(f"/healthz: {error}") from error
    finally:
        connection.close()
    if status != http.HTTPStatus.OK:
        raise SmokeError(f"/healthz answers {status}")


def _last(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no message"


def main() -> int:
    """Run all steps for one binary."""
    parser = argparse.ArgumentParser(description="Start, call and stop a plugin's binary.")
    parser.add_argument("binary", type=Path, help="the plugin's program")
    parser.add_argument(
        "--timeout", type=float, default=30.0, help="seconds per step (%(default)s)"
    )
    options = parser.parse_args()
    binary = options.binary.resolve()
    try:
        answer, cold = capabilities(binary, options.timeout)
        started, stopped = serve(binary, answer, options.timeout)
        size = binary.stat().st_size
    except (SmokeError, OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"{options.binary}: {error}\n")
        return 1
    times = {"capabilities_ms": cold, "start_ms": started, "stop_ms": stopped}
    print(json.dumps({**{name: round(s * 1000, 1) for name, s in times.items()}, "size": size}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
