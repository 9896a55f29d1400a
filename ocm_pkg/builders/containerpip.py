"""Where pip gets packages from in a container: the settings of this machine, taken along."""

from __future__ import annotations

import ast
import configparser
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ocm_pkg.fs.process import ProgramError, child_environment, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_VARIABLES = (
    *("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST"),
    *("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_CERT", "PIP_PROXY", "PIP_DEFAULT_TIMEOUT"),
)
_TAKEN = ("index-url", "extra-index-url", "trusted-host", "no-index", "proxy", "timeout")
_SECTIONS = ("global", "install", ":env:")
"""The sections of pip's settings that count for ``pip install``; a later one wins."""

_TIMEOUT = 60.0
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE | re.ASCII)


@dataclass(frozen=True, slots=True)
class PipSettings:
    """What pip is told: options that may hold passwords, authorities of TLS, folders of wheels."""

    options: Mapping[str, str]
    certificates: Path | None = None
    folders: tuple[Path, ...] = ()

    def config(self, *, certificates: str, wheels: str, offline: bool) -> str:
        """Return the configuration file for a pip that has the files at the paths given."""
        values = dict(self.options)
        if self.certificates is not None:
            values["cert"] = certificates
        if self.folders:
            values["find-links"] = "\n".join([wheels, values.get("find-links", "")]).strip()
        if offline:
            values["no-index"] = "true"
        parser = configparser.RawConfigParser()
        parser["global"] = values
        text = io.StringIO()
        parser.write(text)
        return text.getvalue()


def pip_settings(python: str, environ: Mapping[str, str]) -> PipSettings:
    """Return the settings of this machine, as the pip of ``python`` finds them.

    Without a pip there, it is what the environment says.
    """
    variables = {name: environ[name] for name in _VARIABLES if name in environ}
    values = {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in variables.items()
    }
    try:
        done = run(
            [python, "-m", "pip", "--disable-pip-version-check", "config", "list"],
            env=child_environment(environ, variables),
            timeout=_TIMEOUT,
            max_output=1024 * 1024,
            cwd=Path("/"),
        )
    except ProgramError:
        return _settings(values)
    if done.returncode:
        return _settings(values)
    return _settings(parse_listed(done.stdout.decode(errors="replace")))


def parse_listed(text: str) -> dict[str, str]:
    """Return what ``pip config list`` says that ``pip install`` goes by."""
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in text.splitlines():
        name, _, literal = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in found:
            try:
                found[section][key] = str(ast.literal_eval(literal))
            except (ValueError, SyntaxError):
                continue
    return {key: value for section in _SECTIONS for key, value in found[section].items()}


def _settings(values: Mapping[str, str]) -> PipSettings:
    options = {key: values[key] for key in _TAKEN if values.get(key)}
    if "default-timeout" in values:
        options.setdefault("timeout", values["default-timeout"])
    folders, links = [], []
    for link in values.get("find-links", "").split():
        parts = urlsplit(link)
        if parts.scheme in ("http", "https"):
            links.append(link)
        elif (folder := Path(unquote(parts.path) if parts.scheme == "file" else link)).is_dir():
            folders.append(folder)
    if links:
        options["find-links"] = "\n".join(links)
    certificates = Path(values["cert"]) if values.get("cert") else None
    return PipSettings(options, certificates, tuple(folders))


def wheels_for(locks: Iterable[bytes], folders: Iterable[Path]) -> dict[str, Path]:
    """Return the wheels in ``folders`` of what ``locks`` pin, by file name; pip checks hashes."""
    wanted = {
        (_canonical(name), version.lower())
        for data in locks
        for name, version in _PIN.findall(data.decode(errors="replace"))
    }
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.whl")):
            name, _, rest = path.name.partition("-")
            version = rest.partition("-")[0].replace("_", "-").lower()
            if (_canonical(name), version) in wanted and path.is_file():
                found.setdefault(path.name, path)
    return found


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
