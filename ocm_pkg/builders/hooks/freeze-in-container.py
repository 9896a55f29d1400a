"""Make the environment in a container, then freeze in it; run by the Python of its image.

What goes wrong is said in a line of its own that starts with ``ocm-pkg:``. Standard library only.
"""  # noqa: INP001

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILD = Path("/build")
PIP_CONFIG = Path("/run/secrets/pip")
OLDEST = (3, 11)
_PASSWORD = re.compile(r"://([^/@\s]+)@")


def say(text: str) -> None:
    """Write at once: the engine's log has everything in its order."""
    sys.stdout.write(text)
    sys.stdout.flush()


def fail(reason: str) -> NoReturn:
    """Say why it can't go on, and end."""
    say(f"ocm-pkg: {reason}\n")
    sys.exit(3)


def secrets_of(config: str) -> tuple[str, ...]:
    """Return the names and passwords in the addresses of pip's configuration, the longest first."""
    parser = configparser.RawConfigParser()
    parser.read_string(config)
    values = [value for section in parser.values() for value in section.values()]
    found = {match for value in values for match in _PASSWORD.findall(value)}
    parts = {part for match in found for part in (match, match.partition(":")[2]) if part}
    return tuple(sorted(parts, key=len, reverse=True))


def run(argv: list[str], env: dict[str, str], secrets: tuple[str, ...] = ()) -> bool:
    """Run a program, without ``secrets`` in what it says; return whether it succeeded."""
    with subprocess.Popen(  # noqa: S603 (what the builder wrote)
        argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        for line in process.stdout or ():
            for secret in secrets:
                line = line.replace(secret, "****")  # noqa: PLW2901
            say(line)
    return process.returncode == 0


def environment(build: Path, env: dict[str, str]) -> None:
    """Make the environment from the locks, in the order of their names; only with hashes."""
    if sys.version_info < OLDEST:
        found = ".".join(str(part) for part in sys.version_info[:2])
        oldest = ".".join(str(part) for part in OLDEST)
        fail(f"the image's python3 is Python {found}, and plugins need {oldest} or newer")
    folder = build / "environment"
    if not run([sys.executable, "-m", "venv", str(folder)], env):
        fail("the image's python3 can't make environments (Debian: python3-venv)")
    python = str(folder / "bin" / "python")
    secrets = secrets_of(PIP_CONFIG.read_text()) if PIP_CONFIG.exists() else ()
    env = {**env, "PIP_CONFIG_FILE": str(PIP_CONFIG)}
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "install"]
    only = ["--no-input", "--no-compile", "--only-binary=:all:", "--require-hashes"]
    for lock in sorted((build / "locks").iterdir()):
        if not run([*pip, *only, "-r", str(lock)], env, secrets):
            name = lock.name.partition("-")[2]
            fail(f"pip could not install {name}")


def freeze(build: Path, env: dict[str, str]) -> None:
    """Freeze as the settings say; leave the program and the versions of the tools."""
    settings = json.loads((build / "settings.json").read_text(encoding="utf-8"))
    for tool in ("objdump", "objcopy"):
        if shutil.which(tool) is None:
            fail(f"the image has no {tool}, which PyInstaller needs (binutils)")
    python = str(build / "environment" / "bin" / "python")
    strip = ["--strip"] if shutil.which("strip") else []
    env = {**env, **settings["environment"]}
    if not run([python, "-m", "PyInstaller", *strip, *settings["arguments"]], env):
        fail("PyInstaller failed")
    result = build / "result"
    result.mkdir()
    (build / "work" / "dist").rename(result / "made")
    probe = [python, "-I", str(build / "tool" / "probe.py"), *settings["packages"]]
    said = subprocess.run(probe, env=env, capture_output=True, check=True)  # noqa: S603
    (result / "tools.json").write_bytes(said.stdout)
    tell_packages(build, result)


def tell_packages(build: Path, result: Path) -> None:
    """Leave what packages there are, which of their files were taken, and Python's licence."""
    (site,) = (build / "environment" / "lib").glob("python3*/site-packages")
    packages = result / "packages"
    packages.mkdir()
    for info in site.glob("*.dist-info"):
        shutil.copytree(info, packages / info.name)
    inside = f"{site}/"
    lists = (build / "work" / "build").glob("*/Analysis-*.toc")
    files = {path for each in lists for path in paths_in(ast.literal_eval(each.read_text()))}
    taken = sorted(path[len(inside) :] for path in files if path.startswith(inside))
    (result / "taken.json").write_text(json.dumps(taken))
    (result / "stdlib").mkdir()
    licence = Path(sysconfig.get_path("stdlib"), "LICENSE.txt")
    if licence.is_file():
        shutil.copyfile(licence, result / "stdlib" / licence.name)


def paths_in(value: object) -> Iterator[str]:
    """Return the paths in PyInstaller's lists: each entry is (name, path, type)."""
    if isinstance(value, tuple) and len(value) == 3 and all(isinstance(x, str) for x in value):
        yield value[1]
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from paths_in(item)


def main(arguments: list[str]) -> None:
    """Do the step that is named."""
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(BUILD),
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    proxies = {name: os.environ[name] for name in os.environ if name.lower().endswith("_proxy")}
    {"environment": environment, "freeze": freeze}[arguments[0]](BUILD, {**env, **proxies})


if __name__ == "__main__":
    main(sys.argv[1:])
