"""Finds the plugins in a folder and asks each what it can do; a broken one is reported, no more."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ocm_pkg.contract.capabilities import Capabilities
from ocm_pkg.errors import (
    OcmPkgError,
    PluginError,
    PluginProtocolError,
    PluginStartError,
    PluginTimeoutError,
    escaped,
)
from ocm_pkg.fs import process
from ocm_pkg.plugin import leftover
from ocm_pkg.plugin.folders import hint_for, temporary_folder
from ocm_pkg.plugin.limits import Limits
from ocm_pkg.plugin.registry import ExternalPlugin
from ocm_pkg.plugin.text import LineSplitter, Tail, describe_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Accept: TypeAlias = "Callable[[Path], str | None]"
"""Says why an entry of a plugin folder must not be run; None if it may."""

VersionOf: TypeAlias = "Callable[[Path], str | None]"
"""Says which version an entry of a plugin folder is, if that is known."""

_WORKERS = 8
_MOST_ENTRIES = 1000


@dataclass(frozen=True, slots=True)
class Rejected:
    """An entry that is not used, and why. ``error`` is set if it was run and failed."""

    path: Path
    reason: str
    error: PluginError | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found in the plugin folders, each list in the order of folder and name."""

    found: tuple[ExternalPlugin, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def probe(
    path: Path, *, environment: Mapping[str, str], limits: Limits | None = None
) -> Capabilities:
    """Run ``path capabilities`` and return what it says.

    ``environment`` is that of this process; the plugin gets the allowed part of it. Raises
    ``PluginStartError`` (does not run, or another exit status than 0), ``PluginTimeoutError``,
    ``PluginProtocolError`` (no valid answer, or too much output), each with the phase, the exit
    status and the last lines of standard error as ``detail``. No process of it is left then.
    """
    mark = os.urandom(16).hex()
    with temporary_folder(environment) as variables:
        try:
            return _ask(path, {**variables, leftover.MARK: mark}, environment, limits or Limits())
        finally:
            leftover.kill_marked(mark)


def _ask(
    path: Path, variables: Mapping[str, str], environment: Mapping[str, str], limits: Limits
) -> Capabilities:
    name = escaped(path.name)
    try:
        done = process.run(
            [path.absolute(), "capabilities"],
            env=process.child_environment(environment, variables),
            timeout=limits.probe,
            max_output=limits.probe_output,
        )
    except process.ProgramError as error:
        raise _failed(name, error, limits) from error
    if done.returncode != 0:
        raise PluginStartError(
            f"plugin {name} failed to say what it can do: {describe_exit(done.returncode)}",
            hint=hint_for(_temporary(variables)) or f"run it by hand: {path} capabilities",
            detail=_details(describe_exit(done.returncode), done.stderr),
        )
    try:
        return Capabilities.parse(done.stdout)
    except PluginProtocolError as error:
        raise PluginProtocolError(
            f"plugin {name}: {error.message}",
            hint=error.hint or f"run it by hand: {path} capabilities",
            detail=_details("exit status 0", done.stderr),
        ) from error


def _temporary(variables: Mapping[str, str]) -> Path | None:
    return Path(variables["TMPDIR"]) if "TMPDIR" in variables else None


def discover(
    folders: Iterable[Path],
    *,
    environment: Mapping[str, str],
    limits: Limits | None = None,
    accept: Accept | None = None,
    version_of: VersionOf | None = None,
) -> Discovery:
    """Return the plugins in ``folders``, one level deep; a missing folder has none.

    Executable regular files, and links to such, are run with ``capabilities``, a few at a time.
    Everything else, and what does not answer well, is rejected with a reason; nothing raises.
    """
    candidates: list[Path] = []
    rejected: dict[Path, Rejected] = {}
    order: list[Path] = []
    for path, reason in _entries(folders):
        order.append(path)
        refusal = reason or (accept(path) if accept else None)
        if refusal:
            rejected[path] = Rejected(path, refusal)
        else:
            candidates.append(path)

    # One mark for all: a plugin that is done must not be searched for while others still run.
    mark = os.urandom(16).hex()

    def ask(path: Path, variables: Mapping[str, str]) -> ExternalPlugin | Rejected:
        try:
            answer = _ask(path, variables, environment, limits or Limits())
        except PluginError as error:
            return Rejected(path, error.message, error)
        except (OcmPkgError, OSError) as error:
            return Rejected(path, escaped(str(error), 1000))
        version = version_of(path) if version_of else None
        return ExternalPlugin(path.name, path, answer, version)

    answers: dict[Path, ExternalPlugin | Rejected] = {}
    if candidates:
        with temporary_folder(environment) as folder:
            variables = {**folder, leftover.MARK: mark}
            try:
                found = _ask_all(lambda path: ask(path, variables), candidates)
            finally:
                leftover.kill_marked(mark)
        answers = {entry.path: entry for entry in found}
    good = [answer for path in order if isinstance(answer := answers.get(path), ExternalPlugin)]
    bad = [rejected.get(path) or answers[path] for path in order]
    return Discovery(tuple(good), tuple(entry for entry in bad if isinstance(entry, Rejected)))


def runnable(path: Path) -> str | None:
    """Return why ``path`` is not run as a plugin, or None if it is an executable file."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        dangling = isinstance(error, FileNotFoundError) and path.is_symlink()
        reason = "a link to nothing" if dangling else os.strerror(error.errno or 0).lower()
        return f"cannot be read: {reason}"
    if stat.S_ISDIR(mode):
        return "a folder"
    if not stat.S_ISREG(mode):
        return "no regular file"
    if not os.access(path, os.X_OK):
        return "not executable"
    return None


def _entries(folders: Iterable[Path]) -> list[tuple[Path, str | None]]:
    """Return the entries of all folders in a stable order, each with a reason to skip it."""
    entries: list[tuple[Path, str | None]] = []
    for folder in dict.fromkeys(folders):
        try:
            paths = sorted(folder.iterdir(), key=lambda path: os.fsencode(path.name))
        except FileNotFoundError:
            continue
        except OSError as error:
            entries.append((folder, f"cannot be read: {os.strerror(error.errno or 0).lower()}"))
            continue
        for number, path in enumerate(paths):
            if number >= _MOST_ENTRIES:
                entries.append((path, f"more than {_MOST_ENTRIES} entries in one folder"))
            elif path.name.startswith("."):
                entries.append((path, "hidden"))
            else:
                entries.append((path, runnable(path)))
    return entries


def _ask_all(
    ask: Callable[[Path], ExternalPlugin | Rejected], paths: Sequence[Path]
) -> list[ExternalPlugin | Rejected]:
    if len(paths) < 2:
        return [ask(path) for path in paths]
    # Costs 10 ms to import, which a command with no or one plugin does not pay.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(_WORKERS, len(paths)), "discovery") as pool:
        try:
            return list(pool.map(ask, paths))
        except BaseException:
            # An interrupt must not wait for plugins that were not even asked yet.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _failed(name: str, error: process.ProgramError, limits: Limits) -> PluginError:
    if isinstance(error, process.ProgramTimeoutError):
        return PluginTimeoutError(
            f"plugin {name} did not say what it can do within {limits.probe:g} s and was killed",
            hint="reinstall or remove it",
            detail=_details("killed", error.stderr),
        )
    if isinstance(error, process.ProgramOutputError):
        return PluginProtocolError(
            f"plugin {name} wrote more than {limits.probe_output} bytes and was killed",
            hint="reinstall or remove it",
            detail=_details("killed", error.stderr),
        )
    return PluginStartError(
        f"plugin {name} did not start: {error.message}",
        hint=error.hint,
        detail=_details("it was not started", error.stderr),
    )


def _details(state: str, stderr: bytes) -> tuple[str, ...]:
    tail, splitter = Tail(), LineSplitter()
    for line in [*splitter.feed(stderr), *splitter.end()]:
        tail.add(line)
    return (
        "phase: discovery",
        f"process: {state}",
        *(f"stderr: {line}" for line in tail.lines()),
    )
