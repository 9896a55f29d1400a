"""Which container engine there is, what it can build for, and how it is called."""

from __future__ import annotations

import contextlib
import re
import shutil
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ocm_pkg.errors import escaped
from ocm_pkg.fs.binfmt import is_registered
from ocm_pkg.fs.process import ProgramError, child_environment, run
from ocm_pkg.model.binary import elf_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ocm_pkg.model.platform import Platform

CONTEXT, SECRET, RESULT, IMAGE_ID = "context", "pip.conf", "result", "image"
"""Names in the folder that the engine is run in: the build context, the file that only pip sees,
the folder of the result, and the file that says what image was made on the way."""

FILE, BASE_FILE = "Containerfile", "Containerfile.base"
"""In the context: what is done, and what it starts from."""

_PROBE_TIMEOUT = 20.0
_CLEAN_TIMEOUT = 60.0
_SETTINGS = (
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
    *("DOCKER_API_VERSION", "BUILDX_BUILDER", "BUILDX_CONFIG"),
    *("CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINER_SSHKEY", "SSH_AUTH_SOCK"),
    *("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF"),
    *("REGISTRY_AUTH_FILE", "STORAGE_DRIVER"),
)
"""Where engines keep images, find each other and have their logins: paths and addresses."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_PLATFORMS = re.compile(r"^Platforms:(.*)$", re.MULTILINE)
_IMAGE_ID = re.compile(r"^[0-9a-f]{64}$", re.MULTILINE)
_PLAIN = ("--layers=false", "--force-rm")
_RUNS_TOO = frozenset({("amd64", "386")})


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine: ``docker``, ``podman`` or ``buildah``, and its program."""

    name: str
    program: str

    def fetch(
        self, platform: Platform, image: str, base: str, *, offline: bool
    ) -> list[str] | None:
        """Return the command that gets ``image``; None where ``build`` does that as well.

        ``base`` is a name for it, of this build alone: podman and buildah name containers by it.
        """
        to = ["--platform", str(platform)]
        if self.name == "buildah":
            return [self.program, "pull", *to, "--policy", "never" if offline else "missing", image]
        if self.name == "podman":
            file = ["--tag", base, "--file", f"{CONTEXT}/{BASE_FILE}", CONTEXT]
            return [*self._podman(offline=offline), *to, *file]
        return None

    def tag(self, said: str, base: str) -> list[str] | None:
        """Return the command that gives ``base`` to what ``fetch`` got and said; None if it has."""
        found = _IMAGE_ID.findall(said) if self.name == "buildah" else []
        return [self.program, "tag", found[-1], base] if found else None

    def build(
        self, platform: Platform, base: str, env: Mapping[str, str], *, offline: bool
    ) -> list[str]:
        """Return the command that leaves the folder ``RESULT`` in the folder that it is run in.

        As the others it has no secrets, and no paths of this machine but the engine's own.
        """
        common = [
            *("--platform", str(platform), "--secret", f"id=pip,src={SECRET}"),
            *("--output", f"type=local,dest={RESULT}", "--file", f"{CONTEXT}/{FILE}", CONTEXT),
        ]
        if self.name == "docker":
            # Named without a value: it is taken from the environment, and no part of the image.
            proxies = [part for name in _PROXIES if name in env for part in ("--build-arg", name)]
            return [self.program, "buildx", "build", "--progress", "plain", *proxies, *common]
        own = ["--from", base, "--iidfile", IMAGE_ID]
        if self.name == "podman":
            return [*self._podman(offline=offline), *own, *common]
        start = [self.program, "bud", "--isolation", "chroot", "--pull=never", *_PLAIN]
        return [*start, *own, *common]

    def _podman(self, *, offline: bool) -> list[str]:
        closed = ["--pull=never", "--network=none"] if offline else []
        # Where SELinux is on, the mounted part of the context could not be read.
        return [self.program, "build", "--security-opt=label=disable", *closed, *_PLAIN]

    def clean(self, folder: Path, base: str, env: Mapping[str, str]) -> None:
        """Remove what was made on the way to the result; never raises.

        A build that is stopped may leave its container; any other leaves an image.
        """
        if self.name == "docker":
            return
        image = ""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            image = (folder / IMAGE_ID).read_text(encoding="ascii").strip()
        force = ["--force"] if self.name == "podman" else []
        container = f"{base.rpartition('/')[2]}-working-container"
        _ask([self.program, "rm", *force, container], env, _CLEAN_TIMEOUT)
        for name in (*([image] if image else []), base):
            _ask([self.program, "rmi", name], env, _CLEAN_TIMEOUT)


class Engines:
    """Finds the engine: docker with its daemon, else podman, else buildah.

    It is looked for once, when first asked. ``registrations`` is the folder of binfmt_misc.
    """

    def __init__(self, environ: Mapping[str, str], registrations: Path) -> None:
        self._environ = environ
        self._registrations = registrations

    @cached_property
    def env(self) -> dict[str, str]:
        """The environment of every call."""
        settings = {name: self._environ[name] for name in _SETTINGS if name in self._environ}
        settings["BUILDX_NO_DEFAULT_ATTESTATIONS"] = "1"
        env = child_environment(self._environ, settings)
        env.pop("SOURCE_DATE_EPOCH", None)
        return env

    @property
    def engine(self) -> Engine | None:
        """The engine, or None; ``problem`` then says why."""
        return self._found[0]

    @property
    def problem(self) -> str:
        """Why there is no engine, in one line; empty if there is one."""
        return self._found[1]

    @cached_property
    def _found(self) -> tuple[Engine | None, str]:
        problems = []
        for name in ("docker", "podman", "buildah"):
            program = shutil.which(name, path=self._environ.get("PATH"))
            if program is None:
                continue
            problem = self._unusable(name, program)
            if problem is None:
                return Engine(name, program), ""
            problems.append(problem)
        if not problems:
            return None, "containers need docker, podman or buildah, and none of them is here"
        return None, f"no container engine can be used here: {'; '.join(problems)}"

    def _unusable(self, name: str, program: str) -> str | None:
        if name == "buildah":
            return None
        if name == "podman":
            _status, said = _ask([program, "version"], self.env)
            return None if _status == 0 else f"podman does not answer ({_last(said)})"
        status, _said = _ask([program, "buildx", "version"], self.env)
        if status != 0:
            return "docker has no buildx"
        if "BUILDX_BUILDER" in self.env:  # it may be elsewhere, and needs no daemon here
            return None
        status, said = _ask([program, "info", "--format", "{{.ServerVersion}}"], self.env)
        return None if status == 0 else f"docker's daemon does not answer ({_last(said)})"

    def missing(self, platform: Platform, host: Platform) -> str | None:
        """Return why nothing can be built for ``platform`` here, in one line; None if it can."""
        engine = self.engine
        if engine is None:
            return self.problem
        if engine.name == "docker":
            return self._no_node(engine, platform)
        if host.os != "linux" or "CONTAINER_HOST" in self.env:  # the kernel is another machine's
            return None
        pair = (host.architecture, platform.architecture)
        if pair[0] == pair[1] or pair in _RUNS_TOO:
            return None
        if is_registered(elf_header(platform.architecture), self._registrations):
            return None
        return (
            f"nothing here runs programs for {platform}: binfmt_misc has no entry for it"
            " (Debian: apt install qemu-user-static binfmt-support)"
        )

    def _no_node(self, engine: Engine, platform: Platform) -> str | None:
        status, said = _ask([engine.program, "buildx", "inspect"], self.env)
        names = [
            name.strip(" *") for found in _PLATFORMS.findall(said) for name in found.split(",")
        ]
        known = {"/".join(name.split("/")[:2]) for name in names if name}
        if status != 0 or not known or str(platform) in known:  # not started yet: it will say so
            return None
        return (
            f"docker's builder has no node for {platform}, only for {', '.join(sorted(known))}"
            " (docker buildx create --append adds one, binfmt_misc an emulator)"
        )


def _ask(
    argv: Sequence[str], env: Mapping[str, str], timeout: float = _PROBE_TIMEOUT
) -> tuple[int | None, str]:
    """Return the status of a command and what it said; None if it didn't come to an end."""
    try:
        done = run(argv, env=env, timeout=timeout, max_output=1024 * 1024)
    except ProgramError as error:
        return None, error.message
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return escaped(lines[-1], 120) if lines else "it says nothing"
