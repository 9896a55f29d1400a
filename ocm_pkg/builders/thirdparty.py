"""Builders of other packages: found by their entry point, loaded only if a project names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ocm_pkg.builders.result import check_program
from ocm_pkg.errors import BuildError, ConfigError, OcmPkgError, escaped
from ocm_pkg.model.documents import BUILT
from ocm_pkg.model.elf import is_glibc_version
from ocm_pkg.ports import BuiltBinary, Fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint
    from typing import TypeVar

    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import Target
    from ocm_pkg.ports import Builder, BuildJob

    T = TypeVar("T")

GROUP = "ocm_pkg.builders"
"""The group of entry points: the name is the builder's in the project file, the object is called
with the environment (a mapping) and returns a ``ports.Builder``; a class does."""


def is_installed(name: str) -> bool:
    """Whether an installed package says that it has a builder of this name; nothing is loaded."""
    return bool(_entry_points(name))


def load_builder(name: str, environ: Mapping[str, str]) -> Builder:
    """Return the builder ``name`` of an installed package.

    What goes wrong in it later is a ``BuildError`` that names it. Raises ``ConfigError`` if no
    package or more than one has it, or if it can't be loaded.
    """
    points = _entry_points(name)
    if not points:
        raise ConfigError(
            f"there is no builder {name}", hint="install the package that brings it, or correct it"
        )
    packages = sorted({_package_of(point) for point in points})
    if packages[1:]:
        raise ConfigError(
            f"the builder {name} is in several packages: {', '.join(packages)}",
            hint="uninstall all but one of them",
        )
    try:
        builder = points[0].load()(environ)
    except OcmPkgError:
        raise
    except Exception as error:
        raise _unusable(name, packages[0], _shown(error)) from error
    for method in ("missing", "build"):
        if not callable(getattr(builder, method, None)):
            raise _unusable(name, packages[0], f"what {points[0].value} returns has no {method}")
    return _Foreign(name, builder)


def _entry_points(name: str) -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points

    try:
        return tuple(entry_points(group=GROUP, name=name))
    except Exception as error:
        raise ConfigError(
            f"the packages of this Python can't be listed: {_shown(error)}",
            hint="reinstall the package that is damaged",
        ) from error


def _package_of(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value


def _unusable(name: str, package: str, why: str) -> ConfigError:
    return ConfigError(
        f"the builder {name} of {package} can't be used: {why}",
        hint=f"update {package}, or tell its authors",
    )


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {escaped(str(error), 300)}".removesuffix(": ")


def _is_text(found: Mapping[object, object]) -> bool:
    return all(isinstance(text, str) for pair in found.items() for text in pair)


class _Foreign:
    """A builder of a third party: what it raises and returns is checked."""

    def __init__(self, name: str, builder: Builder) -> None:
        self._name = name
        self._builder = builder

    def missing(self, target: Target, host: Platform) -> str | None:
        """Return why this machine can't build ``target``, as the builder says."""
        reason = self._call(lambda: self._builder.missing(target, host))
        if reason is None:
            return None
        if not isinstance(reason, str):
            raise self._broken(f"missing returned {type(reason).__name__}, not text or None")
        return escaped(reason, 300)

    def inputs(self, job: BuildJob) -> Mapping[str, str] | None:
        """Return what the builder says that its result depends on; None if it says nothing."""
        builder = self._builder
        if not isinstance(builder, Fingerprint):
            return None
        found: object = self._call(lambda: builder.inputs(job))
        if found is None:
            return None
        if not isinstance(found, Mapping) or not _is_text(found):
            raise self._broken("inputs returned no mapping of text to text")
        return dict(found)

    def build(self, job: BuildJob) -> BuiltBinary:
        """Build, and refuse what is not the binary that was asked for."""
        built = self._call(lambda: self._builder.build(job))
        target = job.target
        if not isinstance(built, BuiltBinary):
            raise self._broken(f"build returned {type(built).__name__}, not a BuiltBinary")
        if built.path != job.output or not job.output.is_file():
            raise self._broken(f"it left no {job.output.name}")
        if (built.platform, built.shape) != (target.platform, target.shape):
            raise self._broken(f"it built {built.platform} as {built.shape}")
        program = job.project.program_path(target.platform) if built.shape == "dir" else None
        if built.program != program:
            raise self._broken(f"its program is {built.program}, not {program}")
        if built.glibc is not None and not is_glibc_version(built.glibc):
            raise self._broken(f"{built.glibc!r} is not a version of glibc")
        names = [document.kind.name for document in built.documents]
        missing = [document for document in built.documents if not document.path.is_file()]
        if missing or len({*names} & {*BUILT}) < len(names):
            kinds = ", ".join(BUILT)
            raise self._broken(f"its documents must be files, one of a kind: {kinds}")
        if program is None:
            check_program(job, job.output, job.output)
        return built

    def _call(self, function: Callable[[], T]) -> T:
        try:
            return function()
        except OcmPkgError:
            raise
        except Exception as error:
            raise self._broken(_shown(error)) from error

    def _broken(self, why: str) -> BuildError:
        return BuildError(
            f"the builder {self._name} failed: {why}", hint="tell the authors of that builder"
        )
