"""A plugin that behaves as it is told: one JSON object of switches, see ``DEFAULTS``.

Standard library only and few imports, so that it starts fast. Run it as
``scripted_plugin.py SWITCHES_JSON capabilities|server|--config ...``; ``tests.fakes.plugins``
writes executables that do so.
"""

import base64
import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

DEFAULTS = {
    "contract": "both",  # adr | v2 | both
    "type": "Scripted/v1",
    "access": "readwrite",  # read | readwrite: what the ADR key declares
    "schema": {},
    "capabilities": None,  # raw text in place of the answer
    "capabilities_flood": 0,  # endless output: 1 on stdout, 2 on stderr
    "die": None,  # discovery | start | after_address | first_call | mid_answer | idle
    "exit": 3,  # status to die with; negative: a signal
    "stderr": "",  # text written to stderr before dying, and at each start
    "hang": None,  # discovery | start | health | call
    "health": 200,
    "address": "scheme",  # scheme | bare ([::]:PORT) | none | nobody | noise
    "slow_start": 0,
    "ignore_term": False,
    "ignore_idle": False,
    "child": None,  # stdout | session: a child that outlives us if nobody kills it
    "record": None,  # a file that gets one line per event
    "versions": ["1.0.0", "2.0.0"],
    "answer": {},  # path -> [status, text]
    "raw": {},  # path -> latin-1 text sent as it is
    "blob": None,  # path of the file that local-resource/download names
    "exit_after_calls": 0,  # leave with status 0 after so many calls, as if idle
}


class Plugin:
    def __init__(self, switches):
        self.do = {**DEFAULTS, **switches}
        self.calls = 0
        self.path = None

    def note(self, *words):
        if self.do["record"]:
            with Path(self.do["record"]).open("a", encoding="utf-8") as out:
                out.write(" ".join(map(str, words)) + "\n")

    def die(self, phase):
        if self.do["die"] != phase:
            return
        if self.do["exit"] < 0:
            os.kill(os.getpid(), -self.do["exit"])
            threading.Event().wait()
        os._exit(self.do["exit"])

    def hang(self, phase):
        if self.do["hang"] == phase:
            while True:
                time.sleep(60)

    def main(self, argv):
        if self.do["ignore_term"]:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.do["stderr"]:
            sys.stderr.write(self.do["stderr"] + "\n")
            sys.stderr.flush()
        self.start_child()
        if argv[:1] == ["capabilities"]:
            return self.capabilities()
        command = argv[:1] == ["server"]
        if command != (self.do["contract"] == "adr"):
            sys.stderr.write("wrong command for this contract\n")
            return 2
        config = json.loads(argv[argv.index("--config") + 1])
        self.note("start", os.getpid(), json.dumps(config))
        return self.serve(config)

    def start_child(self):
        kind = self.do["child"]
        if not kind:
            return
        if os.fork() == 0:
            if kind == "session":
                os.setsid()
                if os.fork():
                    os._exit(0)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self.note("child", os.getpid())
            while True:
                time.sleep(60)

    def capabilities(self):
        self.note("capabilities", os.getpid())
        self.hang("discovery")
        self.die("discovery")
        while self.do["capabilities_flood"]:
            os.write(self.do["capabilities_flood"], b"x" * 65536)
        if self.do["capabilities"] is not None:
            sys.stdout.write(self.do["capabilities"])
            return 0
        sys.stdout.write(json.dumps(self.answer()))
        return 0

    def answer(self):
        kind, result = self.do["contract"], {}
        names = ["readComponentVersionRepository", "writeComponentVersionRepository"]
        if kind in ("adr", "both"):
            able = names[: 2 if self.do["access"] == "readwrite" else 1]
            result["type"] = {self.do["type"]: able}
        if kind in ("v2", "both"):
            schema = base64.b64encode(json.dumps(self.do["schema"]).encode()).decode()
            entry = {"type": self.do["type"], "aliases": None, "jsonSchema": schema}
            result["capabilities"] = [
                {"type": "componentVersionRepository", "supportedRepositorySpecTypes": [entry]}
            ]
        return result

    def serve(self, config):
        self.hang("start")
        time.sleep(self.do["slow_start"])
        self.die("start")
        signal.signal(signal.SIGINT, self.leave)
        if not self.do["ignore_term"]:
            signal.signal(signal.SIGTERM, self.leave)
        listener, line = self.listen(config)
        if self.do["address"] == "noise":
            sys.stdout.write("hello\n \nunix:///nope\n")
        if self.do["address"] != "none":
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        if self.do["address"] == "nobody":
            while True:
                time.sleep(60)
        self.die("after_address")
        threading.Thread(target=self.watch_stdin, daemon=True).start()
        idle = config.get("idleTimeout", 3600 * 10**9) / 1e9
        if self.do["ignore_idle"]:
            idle = 3600
        listener.settimeout(idle)
        while True:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                self.leave()
            connection.settimeout(None)
            threading.Thread(target=self.handle, args=(connection,), daemon=True).start()

    def listen(self, config):
        location = config.get("location") or ""
        if config["type"] == "tcp" or self.do["address"] == "bare":
            port = int(location.rpartition(":")[2] or 0) if config["type"] == "tcp" else 0
            listener = socket.create_server(("127.0.0.1", port))
            port = listener.getsockname()[1]
            form = "[::]:%d" if self.do["address"] == "bare" else "http://127.0.0.1:%d"
            return listener, form % port
        self.path = location or f"/tmp/{config['id']}-plugin.socket"  # noqa: S108 - as the Go SDK
        listener = socket.socket(socket.AF_UNIX)
        if self.do["address"] != "nobody":
            listener.bind(self.path)
            listener.listen(64)
        return listener, "http+unix://" + self.path

    def watch_stdin(self):
        while os.read(0, 100):
            pass
        self.note("lifeline")
        self.leave()

    def leave(self, *_):
        if self.path:
            with contextlib.suppress(OSError):
                Path(self.path).unlink()
        self.note("leave")
        os._exit(0)

    def handle(self, connection):
        with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                more = connection.recv(65536)
                if not more:
                    return
                data += more
            head, _, body = data.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            method, target, _ = lines[0].split(" ")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:])
            while len(body) < int(headers.get("content-length", 0)):
                body += connection.recv(65536)
            path = target.partition("?")[0]
            if path == "/healthz":
                self.hang("health")
                self.reply(connection, self.do["health"], "")
                return
            authorization = [line for line in lines if line.lower().startswith("authorization")]
            self.note("call", method, target, "".join(authorization), body.decode())
            self.call(connection, path, body)

    def call(self, connection, path, body):
        self.calls += 1
        self.hang("call")
        self.die("first_call")
        if self.do["die"] == "mid_answer":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[")
            self.die("mid_answer")
        if path in self.do["raw"]:
            connection.sendall(self.do["raw"][path].encode("latin-1"))
            return
        self.reply(connection, *self.result(path, body))
        if self.do["die"] == "idle":
            self.die("idle")
        if self.do["exit_after_calls"] and self.calls >= self.do["exit_after_calls"]:
            self.leave()

    def result(self, path, body):  # noqa: PLR0911 - one for each endpoint
        if path in self.do["answer"]:
            return self.do["answer"][path]
        if path == "/component-versions":
            return 200, json.dumps(self.do["versions"])
        if path == "/identity":
            return 200, "null"
        if path == "/echo":
            return 200, body.decode() or "null"
        if path == "/local-resource/download":
            location = {"type": "localFile", "value": self.do["blob"]}
            return 200, json.dumps({"location": location, "resource": {}})
        if path == "/local-resource/upload":
            value = json.loads(body)
            self.note("content", Path(value["resourceLocation"]["value"]).read_text())
            return 200, json.dumps(value["resource"])
        if path == "/component-version/upload":
            return 200, ""
        return 404, "404 page not found\n"

    def reply(self, connection, status, text):
        data = text.encode()
        head = "HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        connection.sendall((head % (status, len(data))).encode() + data)


if __name__ == "__main__":
    sys.exit(Plugin(json.loads(sys.argv[1])).main(sys.argv[2:]))
