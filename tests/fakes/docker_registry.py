"""Debian's ``docker-registry`` (distribution 2.8.2) on a free loopback port."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PROGRAM = "docker-registry"
NEEDED = f"needs {PROGRAM} (the registry of distribution 2.8.2, as in Debian)"
needs_docker_registry = pytest.mark.skipif(not shutil.which(PROGRAM), reason=NEEDED)
START_SECONDS = 20.0
_LISTENS = re.compile(r"listening on 127\.0\.0\.1:([0-9]+)")
_ENVIRONMENT = {"OTEL_TRACES_EXPORTER": "none", "GOMAXPROCS": "2"}


@dataclass(frozen=True)
class RunningRegistry:
    """A registry that answers: ``host`` is ``127.0.0.1:PORT``, ``storage`` its data on disk."""

    url: str
    host: str
    process: subprocess.Popen[bytes]
    storage: Path
    log: Path

    def requests(self) -> list[str]:
        """Return the requests that it answered so far, like ``GET /v2/``."""
        return re.findall(
            r'"((?:GET|HEAD|POST|PUT|PATCH|DELETE) \S+) HTTP', self.log.read_text(errors="replace")
        )


@contextmanager
def docker_registry(
    folder: Path,
    *,
    htpasswd: Mapping[str, str] | None = None,
    tls: tuple[Path, Path] | None = None,
    auth: Mapping[str, object] | None = None,
) -> Iterator[RunningRegistry]:
    """Run a registry with its data, configuration and log in ``folder``.

    ``htpasswd`` are users and their passwords, ``tls`` a certificate and its key, ``auth`` another
    configuration of logins. It listens on a port of the kernel's choice. Without the program the
    test is skipped.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        pytest.skip(NEEDED)
    folder.mkdir(parents=True, exist_ok=True)
    storage, log = folder / "storage", folder / "registry.log"
    configuration = folder / "registry.yml"
    configuration.write_text(json.dumps(_configuration(folder, storage, htpasswd, tls, auth)))
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, "serve", str(configuration)],
            cwd=folder,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        host = f"127.0.0.1:{_port(process, log)}"
        url = f"{'https' if tls else 'http'}://{host}"
        yield RunningRegistry(url, host, process, storage, log)
    finally:
        process.kill()
        process.wait()


def _configuration(
    folder: Path,
    storage: Path,
    users: Mapping[str, str] | None,
    tls: tuple[Path, Path] | None,
    auth: Mapping[str, object] | None,
) -> dict[str, object]:
    http: dict[str, object] = {"addr": "127.0.0.1:0", "secret": "of-the-test"}
    if tls:
        http["tls"] = {"certificate": str(tls[0]), "key": str(tls[1])}
    configuration: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(storage)},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": http,
    }
    if users is not None:
        path = folder / "htpasswd"
        path.write_text(htpasswd_file(users))
        configuration["auth"] = {"htpasswd": {"realm": "test", "path": str(path)}}
    if auth is not None:
        configuration["auth"] = auth
    return configuration


def htpasswd_file(users: Mapping[str, str]) -> str:
    """Return the text of a file of users with their passwords hashed by bcrypt, cheaply."""
    import bcrypt

    hashed = {
        user: bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        for user, password in users.items()
    }
    return "".join(f"{user}:{each}\n" for user, each in hashed.items())


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """Wait until the registry says which port it has: it accepts connections from then on."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = _LISTENS.search(log.read_text(errors="replace"))
        if found:
            return int(found[1])
        time.sleep(0.005)
    text = log.read_text(errors="replace")
    raise AssertionError(f"{PROGRAM} did not start (status {process.poll()}):\n{text[-4000:]}")
