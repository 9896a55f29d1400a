"""Where configuration files are, in the reference's order, and reading them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.errors import FileMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ocm_pkg.model.config import Configuration, Entry

VARIABLE = "OCM_CONFIG"
_NESTED, _SINGLE = Path(".ocm/config"), Path(".ocmconfig")


def candidates(
    environ: Mapping[str, str], *, home: Path | None, cwd: Path, executable: Path | None
) -> Iterator[Path]:
    """Yield where a file may be; of files that are there, a later one wins."""
    if named := environ.get(VARIABLE):
        yield cwd / named
    folders = [Path(environ.get("XDG_CONFIG_HOME", ""))]
    folders += [home / ".config"] if home else []
    for folder in folders:
        if folder.is_absolute():
            yield folder / "ocm/config"
            yield folder / _SINGLE
    if home:
        yield home / _NESTED
        yield home / _SINGLE
    yield cwd / _NESTED
    yield cwd / _SINGLE
    if executable:
        yield executable.parent / _NESTED
        yield executable.parent / _SINGLE


def existing(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the files among ``paths``; of several ways to one file the last."""
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_file():
            real = path.resolve()
            found.pop(real, None)
            found[real] = path
    return tuple(found.values())


def named_files(names: Sequence[str], cwd: Path) -> tuple[Path, ...]:
    """Return the files of ``--config``; each must be there."""
    paths = tuple(cwd / name for name in names)
    for path in paths:
        if not path.is_file():
            raise FileMissingError(
                f"the configuration file {path} does not exist", hint="check --config"
            )
    return paths


def load(paths: Sequence[Path], warn: Callable[[str], None]) -> Configuration:
    """Read configuration files as one; ``warn`` gets a line for each that is not private enough.

    Raises ``ConfigError`` with file, line and column.
    """
    from ocm_pkg.model.config import Configuration

    return Configuration.of([entry for path in paths for entry in _entries(path, warn)])


def _entries(path: Path, warn: Callable[[str], None]) -> Sequence[Entry]:
    from ocm_pkg.model.config import parse_entries
    from ocm_pkg.model.config_show import holds_secrets
    from ocm_pkg.store.credentials import read_private

    problems: list[str] = []
    entries = parse_entries(read_private(path, problems.append), name=str(path))
    if holds_secrets(entries):
        for problem in problems:
            warn(problem)
    return entries
