"""The sources of a build: the project file, the version, the commit, the locks."""

from __future__ import annotations

import ast
import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.builders.thirdparty import is_installed
from ocm_pkg.errors import ConfigError, FileMissingError, ToolMissingError, escaped
from ocm_pkg.fs.blob import FileBlob, read_all
from ocm_pkg.fs.process import ProgramError, child_environment, run
from ocm_pkg.model import tomltext, yamltext
from ocm_pkg.model.digest import Digest, digest_of
from ocm_pkg.model.project import FILE_NAME, SECTION, is_inner_path, read_project
from ocm_pkg.model.version import is_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.model.project import PluginProject
    from ocm_pkg.model.yamltext import YamlDocument

PYPROJECT = "pyproject.toml"
_NOT_BUILT = ("publish", "sign")
_MAX_FILE = 4 * 1024 * 1024
_GIT_TIMEOUT = 30.0
_DESCRIBED = re.compile(r"(?P<tag>.+)-(?P<count>[0-9]+)-g(?P<hash>[0-9a-f]+)")
_SHOWN_FILES = 5
_RELEASE = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)")


@dataclass(frozen=True, slots=True)
class ProjectSource:
    """A project and the file that it came from.

    ``config`` is the digest of what the file says about the plugin: comments, ``publish``,
    ``sign`` and the rest of a ``pyproject.toml`` don't count. ``document`` knows where in the file
    things stand.
    """

    project: PluginProject
    folder: Path
    file: Path
    config: Digest
    document: YamlDocument


def lock_of(source: ProjectSource) -> Digest | None:
    """Return the digest of all requirements that go into binaries; None if there are none."""
    names = {target.requirements for target in source.project.targets if target.requirements}
    if not names:
        return None
    digests = [str(digest_of(read_file(source.folder / name))) for name in sorted(names)]
    return digest_of("\n".join(digests).encode()) if digests[1:] else Digest.parse(digests[0])


def load_project(folder: Path) -> ProjectSource:
    """Read ``ocm-pkg.yaml`` in ``folder``, or ``[tool.ocm-pkg]`` of its ``pyproject.toml``.

    Raises ``FileMissingError`` if there is neither, ``ConfigError`` if there are both.
    """
    own, pyproject = folder / FILE_NAME, folder / PYPROJECT
    table = None
    if pyproject.is_file():
        table = tomltext.load(read_file(pyproject), name=str(pyproject), prefix=SECTION)
    if own.is_file():
        if table is not None:
            raise ConfigError(
                f"{own} and [tool.ocm-pkg] of {pyproject} both describe the plugin",
                hint="remove one of them",
            )
        return _source(folder, own, yamltext.load(read_file(own), name=str(own)))
    if table is not None:
        return _source(folder, pyproject, table)
    raise FileMissingError(
        f"no {FILE_NAME} in {folder}",
        hint="start a plugin with `ocm-pkg init`, or go to the folder of one",
    )


def _source(folder: Path, file: Path, document: YamlDocument) -> ProjectSource:
    said = dict(document.value) if isinstance(document.value, dict) else {}
    for key in _NOT_BUILT:
        said.pop(key, None)
    config = digest_of(json.dumps(said, sort_keys=True).encode())
    return ProjectSource(read_project(document, is_installed), folder, file, config, document)


def resolve_version(source: ProjectSource, environ: Mapping[str, str]) -> str:
    """Return the version, from where the project says it comes.

    Raises ``ConfigError``; also if it comes from git, and files that git knows differ from the
    commit: it would then name what is in no commit.
    """
    kind, name = source.project.version.source, source.project.version.name
    if kind == "literal":
        return str(name)
    if kind == "pyproject":
        text, where = _version_in(source.folder / PYPROJECT), PYPROJECT
    elif kind == "git":
        _refuse_changes(source, environ)
        text, where = _version_by_git(source.folder, environ), "git"
    else:
        text, where = environ.get(str(name), ""), f"the variable {name}"
        if not text:
            raise ConfigError(
                f"the version comes from the variable {name}, which is not set",
                hint=f"run {name}=1.2.0 ocm-pkg ...",
                at=str(source.file),
            )
    if not is_version(text):
        raise ConfigError(
            f"{escaped(text)[:80]!r}, from {where}, is not a version",
            hint="versions look like 1.2.0 or 1.2.0-rc.1",
            at=str(source.file),
        )
    return text


def commit_of(folder: Path, environ: Mapping[str, str]) -> str | None:
    """Return the commit of the sources, with ``-dirty`` if files differ; None without git."""
    try:
        text = _git(
            folder, environ, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"
        )
    except (ConfigError, ToolMissingError):
        return None
    return text if re.fullmatch(r"[0-9a-f]{40,64}(-dirty)?", text) else None


def version_of_describe(text: str) -> str:
    """Return the version for what ``git describe --long`` says.

    On a tag it is the tag. Else it is a pre-release of the next patch:
    ``1.2.0-3-gabc`` is ``1.2.1-dev.3.gabc``.
    """
    match = _DESCRIBED.fullmatch(text)
    if match is None:
        return text
    tag = match["tag"].removeprefix("v")
    if match["count"] == "0":
        return tag
    suffix = f"dev.{match['count']}.g{match['hash']}"
    release = _RELEASE.fullmatch(tag)
    if release is None:
        return f"{tag}.{suffix}" if "-" in tag else f"{tag}-{suffix}"
    major, minor, patch = release.groups()
    return f"{major}.{minor}.{int(patch) + 1}-{suffix}"


def _version_by_git(folder: Path, environ: Mapping[str, str]) -> str:
    tags = ("--match=[0-9]*", "--match=v[0-9]*")
    text = _git(folder, environ, "describe", "--tags", "--long", "--abbrev=12", *tags)
    return version_of_describe(text)


def _refuse_changes(source: ProjectSource, environ: Mapping[str, str]) -> None:
    """Raise ``ConfigError`` if files that git knows differ from the commit; it names them."""
    text = _git(source.folder, environ, "status", "--porcelain", "--untracked-files=no")
    names = [escaped(line.strip().partition(" ")[2].strip(), 200) for line in text.splitlines()]
    if not names:
        return
    more = f" and {len(names) - _SHOWN_FILES} more" if len(names) > _SHOWN_FILES else ""
    raise ConfigError(
        f"the version comes from git, and {', '.join(names[:_SHOWN_FILES])}{more}"
        f" {'differs' if len(names) == 1 else 'differ'} from the commit",
        hint="commit the changes, or put them away: git stash",
        at=str(source.file),
    )


def _git(folder: Path, environ: Mapping[str, str], *arguments: str) -> str:
    git = shutil.which("git", path=environ.get("PATH"))
    if git is None:
        raise ToolMissingError("git is not on this machine", hint="install git")
    try:
        done = run(
            [git, "-C", str(folder), *arguments],
            env=child_environment(environ, {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}),
            timeout=_GIT_TIMEOUT,
            max_output=1024 * 1024,
        )
    except ProgramError as error:
        raise ConfigError(f"git in {folder}: {error.message}") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise ConfigError(
            f"git knows no version of {folder}: {escaped(lines[0])[:200]}",
            hint="tag a commit: git tag v0.1.0",
        )
    return done.stdout.decode(errors="replace").strip()


def _version_in(pyproject: Path) -> str:
    if not pyproject.is_file():
        raise ConfigError(f"the version comes from {pyproject}, which does not exist")
    data = read_file(pyproject)
    version = _text_at(data, pyproject, "project", "version")
    if version is None and (
        attribute := _text_at(data, pyproject, "tool", "setuptools", "dynamic", "version", "attr")
    ):
        version = _attribute(pyproject.parent, attribute)
    if version is None:
        raise ConfigError(
            f"{pyproject} has no version under [project]",
            hint='add version = "0.1.0"; of dynamic versions only setuptools\' attr can be read',
            at=str(pyproject),
        )
    return version


def _text_at(data: bytes, pyproject: Path, *path: str) -> str | None:
    table = tomltext.load(data, name=str(pyproject), prefix=path[:-1])
    value = table.value.get(path[-1]) if table and isinstance(table.value, dict) else None
    return value if isinstance(value, str) else None


def _attribute(folder: Path, attribute: str) -> str | None:
    """Return the text that a module assigns to a name, without running the module."""
    module, _, name = attribute.rpartition(".")
    stem = module.replace(".", "/")
    for path in (f"{stem}/__init__.py", f"{stem}.py", f"src/{stem}/__init__.py", f"src/{stem}.py"):
        if not (is_inner_path(path) and (folder / path).is_file()):
            continue
        try:
            tree = ast.parse(read_file(folder / path))
        except (SyntaxError, ValueError):
            return None
        for node in tree.body:
            if (
                isinstance(node, ast.Assign)
                and [getattr(target, "id", None) for target in node.targets] == [name]
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                return node.value.value
    return None


def read_file(path: Path) -> bytes:
    """Return the content of one of the project's files; refuse one over 4 MiB."""
    return read_all(FileBlob(path), _MAX_FILE, str(path))
