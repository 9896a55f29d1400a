"""The manager of plugins, made of the environment, the configuration and the logins of a user."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.model.identity import Identity
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.plugin.caller import CredentialSource
    from ocm_pkg.plugin.manager import PluginManager
    from ocm_pkg.store.dockerconfig import DockerCredentials


def plugin_manager(context: Context, prefer: str) -> PluginManager:
    """Return a manager of the plugins in the plugin folders; nothing is started or read yet."""
    from ocm_pkg.plugin.builtin import builtin_plugins
    from ocm_pkg.plugin.manager import DEFAULT_IDLE_TIMEOUT, Hooks, PluginManager

    idle = context.config.plugins.idle_timeout if context.config_files else None
    return PluginManager(
        context.plugin_folders,
        builtin=builtin_plugins(
            context.cwd,
            registries=lambda: context.registries,
            credentials=lambda: _docker(context),
        ),
        prefer=prefer,
        environment=context.environ,
        idle_timeout=idle / 1e9 if idle else DEFAULT_IDLE_TIMEOUT,
        hooks=Hooks(credentials=_credentials(context)),
        configurations=_configurations(context),
    )


def for_plugin(context: Context, spec: RepositorySpec) -> RepositorySpec:
    """Return ``spec`` as a plugin is given it: a registry's with the scheme that is meant.

    Raises ``TransportError`` for a registry if no connection may be opened.
    """
    if spec.kind != "oci":
        return spec
    if context.offline:
        raise TransportError(
            f"{spec} is not asked: --offline is set, and a plugin would open a connection",
            hint="leave out --offline, or --prefer-plugins",
        )
    if context.settings.plain_http and "://" not in spec.location:
        return replace(spec, location=f"http://{spec.location}")
    return spec


def _docker(context: Context) -> DockerCredentials:
    from ocm_pkg.store.dockerconfig import DockerCredentials

    return DockerCredentials(environ=context.environ, folder=context.cwd, home=context.known_home)


def _credentials(context: Context) -> CredentialSource | None:
    """Return what finds secrets for plugins; None if there can be none to ask for."""
    from ocm_pkg.store.credentials import login_files

    files = login_files(context.environ, context.cwd, context.known_home)
    if not context.config_files and not any(file.is_file() for file in files):
        return None

    def find(identity: Identity) -> Mapping[str, Any] | None:
        return context.credentials.credential_object(identity)

    return find


def _configurations(context: Context) -> list[Mapping[str, Any]]:
    """Return what plugins may ask for of the configuration: how to reach hosts."""
    if not context.config_files:
        return []
    from ocm_pkg.model.config import Kind

    entries = [entry for entry in context.config.entries if entry.kind is Kind.HTTP]
    return [value for entry in entries if isinstance(value := entry.node.value, dict)]
