"""The project file: ``ocm-pkg.yaml``, or the same keys under ``[tool.ocm-pkg]``.

What the file may say is in ``ProjectFile``; what the rest of the code works with is
``PluginProject``, with every default filled in. A key that nothing here acts on is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import ConfigError, UsageError
from ocm_pkg.model import tomltext, yamltext
from ocm_pkg.model.builderkeys import BUILDERS, PATH_KEYS, REQUIRED
from ocm_pkg.model.document import read_document, show_path
from ocm_pkg.model.documents import KINDS
from ocm_pkg.model.elf import is_glibc_version
from ocm_pkg.model.pinnedimage import image_problem
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.projectfile import ProjectFile, SignSettings
from ocm_pkg.model.reference import RepositorySpec, component_name_ok, element_name_ok
from ocm_pkg.model.shape import FOLDER_BUILDERS, default_shape, launcher_problem
from ocm_pkg.model.shape import LABEL as SHAPE_LABEL
from ocm_pkg.model.version import is_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ocm_pkg.errors import InvalidDocumentError
    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.model.projectfile import Asset, BuildSettings, Require, VersionSource
    from ocm_pkg.model.yamltext import YamlDocument

FILE_NAME = "ocm-pkg.yaml"
SECTION = ("tool", "ocm-pkg")
DESCRIPTION_LABEL = "ocm-pkg.dev/description"
SHAPES = ("file", "dir", "launcher")
_SOURCES = ("pyproject", "git", "env")


@dataclass(frozen=True, slots=True)
class Target:
    """One platform and how its binary is made. Paths are relative to the project's folder."""

    platform: Platform
    builder: str
    shape: str = "file"
    entry: str | None = None
    requirements: str | None = None
    exclude: tuple[str, ...] = ()
    hidden_imports: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    output: str | None = None
    path: str | None = None
    image: str | None = None
    python: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class PluginProject:
    """A plugin's project, checked, with every default filled in."""

    component: str
    version: VersionSource
    provider: str
    resource: str
    description: str | None
    targets: tuple[Target, ...]
    require: Require
    assets: tuple[Asset, ...]
    labels: Mapping[str, Any]
    publish_to: RepositorySpec | None = None
    sign: SignSettings = field(default_factory=SignSettings)

    @property
    def plugin_name(self) -> str:
        """The name it is installed under: the last segment of the component's name."""
        return self.component.rpartition("/")[2]

    def binary_name(self, platform: Platform, shape: str = "file") -> str:
        """Return ``RESOURCE.OS-ARCH``, with ``.exe`` for Windows (as the ADR's sample does).

        A folder is in ``RESOURCE.OS-ARCH.tar.gz``.
        """
        suffix = ".exe" if platform.os == "windows" else ""
        suffix = ".tar.gz" if shape == "dir" else suffix
        return f"{self.resource}.{platform.os}-{platform.architecture}{suffix}"

    def program_path(self, platform: Platform) -> str:
        """Return where the program is in the archive of shape ``dir``: ``NAME/NAME``."""
        suffix = ".exe" if platform.os == "windows" else ""
        return f"{self.plugin_name}/{self.plugin_name}{suffix}"

    def target(self, platform: Platform) -> Target | None:
        """Return the target for ``platform``, if there is one."""
        return next((target for target in self.targets if target.platform == platform), None)


def parse_project(data: bytes | str, *, name: str) -> PluginProject:
    """Read ``ocm-pkg.yaml``; errors name file, line and column."""
    return read_project(yamltext.load(data, name=name))


def parse_pyproject(data: bytes | str, *, name: str) -> PluginProject:
    """Read ``[tool.ocm-pkg]``; raise ``ConfigError`` if there is none."""
    document = tomltext.load(data, name=name, prefix=SECTION)
    if document is None:
        raise ConfigError(f"{name} has no [tool.ocm-pkg]", hint=f"or write {FILE_NAME}")
    return read_project(document)


def read_project(
    document: YamlDocument, is_builder: Callable[[str], bool] | None = None
) -> PluginProject:
    """Read a document that was loaded already: ``ocm-pkg.yaml``, or the table of TOML.

    ``is_builder`` is asked for names of builders that are none of ours; without it, none is known.
    """
    return _Reader(document, is_builder).read()


class _Reader:
    """Checks one file; knows how to say where a problem is."""

    def __init__(
        self, document: YamlDocument, is_builder: Callable[[str], bool] | None = None
    ) -> None:
        self._document = document
        self._is_builder = is_builder or BUILDERS.__contains__

    def read(self) -> PluginProject:
        value = self._document.value
        if not isinstance(value, dict):
            raise self._error((), "is no mapping of keys to values", f"start with {_FIRST_LINE}")
        self._format(value)
        self._refuse_later(value)
        plain, name = self._plain(value), self._document.name
        file = read_document(ProjectFile, plain, source=self._document, what=name)
        self._names(file)
        self._require(file.require)
        targets = tuple(self._target(file, index) for index in range(len(file.targets)))
        self._distinct(targets)
        return PluginProject(
            component=file.component,
            version=file.version,
            provider=file.provider,
            resource=file.resource or file.component.rpartition("/")[2],
            description=file.description,
            targets=targets,
            require=file.require,
            assets=file.assets,
            labels=file.labels,
            publish_to=self._publish_to(file),
            sign=file.sign,
        )

    def _publish_to(self, file: ProjectFile) -> RepositorySpec | None:
        if file.publish.to is None:
            return None
        try:
            return RepositorySpec.parse(file.publish.to)
        except UsageError as error:
            raise self._error(("publish", "to"), error.message, error.hint) from error

    def _error(
        self, path: Sequence[str | int], problem: str, hint: str | None = None
    ) -> InvalidDocumentError:
        name = self._document.name
        where = f"{name}: {show_path(path)}" if path else name
        return self._document.error(path, f"{where} {problem}", hint)

    def _format(self, value: Mapping[str, JSONValue]) -> None:
        version = value.get("formatVersion")
        if "formatVersion" not in value:
            raise self._error((), "has no formatVersion", f"start with {_FIRST_LINE}")
        if isinstance(version, int) and not isinstance(version, bool) and version > 1:
            raise self._error(
                ("formatVersion",), f"{version} is newer than this ocm-pkg", "update ocm-pkg"
            )

    def _refuse_later(self, value: Mapping[str, JSONValue]) -> None:
        """Refuse the keys of the form that nothing acts on in this version."""
        for path, hint in _LATER.items():
            section: JSONValue = dict(value)
            for key in path:
                section = section.get(key, _ABSENT) if isinstance(section, dict) else _ABSENT
            if section is not _ABSENT:
                raise self._error(path, "is not supported by this version of ocm-pkg", hint)

    def _plain(self, value: Mapping[str, JSONValue]) -> JSONValue:
        """Return the document with the short forms written out."""
        plain = dict(value)
        version = plain.get("version")
        if isinstance(version, str):
            plain["version"] = {"from": "literal", "name": version}
        elif isinstance(version, int | float):
            raise self._error(("version",), "is a number", 'write it as text, for example "1.10"')
        elif isinstance(version, dict):
            self._version_source(version)
        require = plain.get("require")
        if isinstance(require, dict) and isinstance(require.get("glibc-max"), int | float):
            where = ("require", "glibc-max")
            raise self._error(where, "is a number", 'write it as text, for example "2.36"')
        targets = plain.get("targets")
        if isinstance(targets, list):
            plain["targets"] = [
                {"platform": target} if isinstance(target, str) else target for target in targets
            ]
        return plain

    def _version_source(self, version: Mapping[str, JSONValue]) -> None:
        source = version.get("from")
        if source not in _SOURCES:
            raise self._error(("version", "from"), "must be pyproject, git or env")
        if (source == "env") != ("name" in version):
            raise self._error(
                ("version",),
                "needs the name of a variable" if source == "env" else "takes no name",
                "{from: env, name: VERSION}" if source == "env" else None,
            )

    def _names(self, file: ProjectFile) -> None:
        if not component_name_ok(file.component):
            raise self._error(
                ("component",),
                f"{file.component[:80]!r} is not a component name",
                "a lower-case domain and a path, for example example.com/plugins/hello",
            )
        last = file.component.rpartition("/")[2]
        if "." in last:
            raise self._error(
                ("component",),
                f"ends with {last!r}: a plugin's name has no dots",
                f"for example {last.replace('.', '-')}",
            )
        if file.version.source == "literal" and not is_version(file.version.name or ""):
            raise self._error(("version",), f"{file.version.name!r} is not a version", "e.g. 1.2.0")
        self._resource_names(file)
        for name, value in file.labels.items():
            if not name or name in (SHAPE_LABEL, DESCRIPTION_LABEL):
                raise self._error(("labels", name), "is set by ocm-pkg itself", "remove it")
            if not (value and isinstance(value, str)) and not isinstance(value, dict):
                raise self._error(
                    ("labels", name),
                    "is neither text nor a mapping, which is all that the ocm tool accepts",
                    "quote it",
                )

    def _require(self, require: Require) -> None:
        limit = require.glibc_max
        if limit is not None and not is_glibc_version(limit):
            raise self._error(
                ("require", "glibc-max"), f"{limit[:80]!r} is not a version of glibc", 'e.g. "2.36"'
            )

    def _resource_names(self, file: ProjectFile) -> None:
        resource = file.resource or file.component.rpartition("/")[2]
        seen = {resource, *(kind.resource_name(resource) for kind in KINDS.values())}
        hint = "two or more lower-case letters, digits, - or _"
        if not element_name_ok(resource):
            where = ("resource",) if file.resource else ("component",)
            raise self._error(where, f"{resource[:80]!r} cannot name a resource", hint)
        for index, asset in enumerate(file.assets):
            path = ("assets", index, "name")
            if not element_name_ok(asset.name):
                raise self._error(path, f"{asset.name[:80]!r} cannot name a resource", hint)
            if asset.name in seen:
                raise self._error(path, f"{asset.name!r} is taken by another resource")
            seen.add(asset.name)
            self._inner_path(("assets", index, "path"), asset.path)

    def _target(self, file: ProjectFile, index: int) -> Target:
        own = file.targets[index]
        path = ("targets", index)
        try:
            platform = Platform.parse(own.platform)
        except UsageError as error:
            raise self._error((*path, "platform"), error.message, error.hint) from error
        default = file.build.builder or "pyinstaller"
        builder = own.builder or default
        self._builder(path if own.builder else ("build",), builder)
        self._builder(("build",), default)
        self._keys(("build",), file.build, default)
        self._keys(path, own, builder)
        common = _members(file.build)
        read = BUILDERS.get(builder, common if builder == default else ())
        settings = {key: common[key] for key in common if key in read}
        settings.update(_members(own))
        for key in REQUIRED.get(builder, ()):
            if not settings.get(key):
                raise self._error(path, f"needs {key} for the builder {builder}")
        shape = own.shape or file.build.shape or default_shape(builder, platform)
        self._shape((*path, "shape") if own.shape else ("build", "shape"), shape)
        if shape == "file" and builder in FOLDER_BUILDERS:
            raise self._error(path, f"is no file with {builder}", "write shape: dir")
        if shape == "launcher" and (problem := launcher_problem(platform)):
            raise self._error(path, problem, "write {platform: " + str(platform) + ", shape: file}")
        fields = {key.replace("-", "_"): value for key, value in settings.items()}
        return Target(platform=platform, builder=builder, shape=shape, **fields)

    def _builder(self, path: tuple[str | int, ...], builder: str) -> None:
        if builder not in BUILDERS and not self._is_builder(builder):
            raise self._error(
                (*path, "builder"),
                f"{builder[:80]!r} is not supported by this version of ocm-pkg",
                f"supported: {', '.join(BUILDERS)}, and those of packages that are installed",
            )

    def _shape(self, path: tuple[str | int, ...], shape: str) -> None:
        if shape not in SHAPES:
            raise self._error(
                path,
                f"{shape[:80]!r} is not supported by this version of ocm-pkg",
                f"supported: {', '.join(SHAPES)}",
            )

    def _keys(self, path: tuple[str | int, ...], settings: BuildSettings, builder: str) -> None:
        for key, value in _members(settings).items():
            if key not in BUILDERS.get(builder, (key,)):
                raise self._error(
                    (*path, key),
                    f"is not read by the builder {builder}",
                    f"{builder} reads {', '.join(BUILDERS[builder])}",
                )
            if key in PATH_KEYS:
                self._inner_path((*path, key), value)
            if key == "image" and builder == "container" and (problem := image_problem(value)):
                raise self._error((*path, key), *problem)

    def _inner_path(self, path: tuple[str | int, ...], value: str) -> None:
        if not is_inner_path(value):
            raise self._error(
                path,
                f"{value[:80]!r} is no path inside the project",
                "write it relative to the project's folder, with /, without ..",
            )

    def _distinct(self, targets: Sequence[Target]) -> None:
        seen: dict[Platform, int] = {}
        for index, target in enumerate(targets):
            if target.platform in seen:
                raise self._error(
                    ("targets", index),
                    f"is the second target for {target.platform}; the first is targets"
                    f"[{seen[target.platform]}]",
                )
            seen[target.platform] = index


def is_inner_path(path: str) -> bool:
    """Whether ``path`` is relative, stays inside, and means the same on every system."""
    if not path or path.startswith(("/", "~", "-")) or "\\" in path or ":" in path:
        return False
    return ".." not in path.split("/") and path.isprintable()


def _members(settings: BuildSettings) -> dict[str, Any]:
    """Return what is said about how to build, by the keys of the file."""
    values = settings.model_dump(by_alias=True, exclude_none=True)
    return {key: values[key] for key in values if key not in ("builder", "shape", "platform")}


_FIRST_LINE = "formatVersion: 1"
_ABSENT: JSONValue = "\0absent"
_LATER: Mapping[tuple[str, ...], str] = {
    ("publish", "catalog"): "remove it: there are no catalogs yet",
}
