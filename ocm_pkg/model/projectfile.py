"""The project file, member for member: which keys there are, and of which type."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from ocm_pkg.model.document import OwnDocument

Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]
Text = Annotated[str, Field(min_length=1)]


class _File(OwnDocument):
    model_config = ConfigDict(populate_by_name=False)


class VersionSource(_File):
    """Where the version comes from: ``literal``, ``pyproject``, ``git`` or ``env``.

    ``name`` is the version itself for ``literal``, the variable for ``env``.
    """

    source: Literal["literal", "pyproject", "git", "env"] = Field(alias="from")
    name: str | None = None


class BuildSettings(_File):
    """How binaries are made; ``build`` in the file, and each of its ``targets``.

    ``settings`` is what a builder of another package reads beyond these keys.
    """

    builder: str | None = None
    shape: str | None = None
    entry: Text | None = None
    requirements: Text | None = None
    exclude: Texts | None = None
    hidden_imports: Texts | None = Field(None, alias="hidden-imports")
    run: Texts | None = None
    output: Text | None = None
    path: Text | None = None
    image: Text | None = None
    python: Text | None = None
    settings: dict[str, Any] | None = None


class TargetSettings(BuildSettings):
    """One target; what it doesn't say, ``build`` says."""

    platform: Text


class Require(_File):
    """What must hold before a component version is made.

    ``size_mb`` is the largest binary allowed, in units of 1,000,000 bytes; ``glibc_max`` the newest
    glibc that one may need; ``startup_ms`` the time until it says its capabilities.
    """

    all_targets: bool = Field(True, alias="all-targets")
    size_mb: Annotated[float, Field(gt=0, strict=False)] | None = Field(None, alias="size-mb")
    glibc_max: Text | None = Field(None, alias="glibc-max")
    startup_ms: Annotated[float, Field(gt=0, strict=False)] | None = Field(None, alias="startup-ms")


class Asset(_File):
    """A folder that is delivered beside the binaries, as an archive."""

    name: Text
    path: Text
    type: Text = "directoryTree"


class PublishSettings(_File):
    """Where component versions are published: ``to`` is a repository."""

    to: Text | None = None


class SignSettings(_File):
    """How ``release`` signs: the signature's name, and the file with the private key.

    ``key`` is relative to the project's folder, or absolute, or starts with ``~/``.
    """

    name: Text = "default"
    key: Text | None = None


class ProjectFile(_File):
    """The file, member for member."""

    format_version: Literal[1] = Field(alias="formatVersion")
    component: Text
    version: VersionSource
    provider: Text
    resource: Text | None = None
    description: Text | None = None
    build: BuildSettings = Field(default_factory=BuildSettings)
    targets: Annotated[tuple[TargetSettings, ...], Field(strict=False, min_length=1)]
    require: Require = Field(default_factory=Require)
    assets: Annotated[tuple[Asset, ...], Field(strict=False)] = ()
    labels: dict[str, Any] = Field(default_factory=dict)
    publish: PublishSettings = Field(default_factory=PublishSettings)
    sign: SignSettings = Field(default_factory=SignSettings)
