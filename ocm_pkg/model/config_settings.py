"""The other entries of the configuration: signing, plugins, catalogs, HTTP, files, transfer."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ocm_pkg.model.config_text import Node

RSA_SIGNING = "RSASigningConfiguration"
PLAIN, PEM = "plain", "pem"

_ALGORITHMS = ("RSASSA-PSS", "RSASSA-PKCS1-V1_5")
_COPY_MODES = ("localBlob", "allResources")
_UPLOAD_TYPES = ("localBlob", "ociArtifact")


@dataclass(frozen=True, slots=True)
class SigningSettings:
    """How a signature is made: for the ``signature`` of that name, or (None) for every other.

    ``signer`` and ``verifier`` are type names. ``algorithm`` and ``encoding`` (``plain`` or
    ``pem``) are those of the RSA signer; None where nothing is said.
    """

    node: Node = field(repr=False)
    signature: str | None = None
    signer: str | None = None
    verifier: str | None = None
    algorithm: str | None = None
    encoding: str | None = None

    @property
    def is_rsa(self) -> bool:
        """Whether the signer is the RSA one, or none is named."""
        return self.signer is None or self.signer.partition("/")[0] == RSA_SIGNING


def read_signing(entry: Node) -> SigningSettings:
    """Read ``signing.config.ocm.software``."""
    signer, verifier = entry.member("signer"), entry.member("verifier")
    settings = SigningSettings(
        entry,
        entry.text("signature") or None,
        signer.required_text("type") if signer.value is not None else None,
        verifier.required_text("type") if verifier.value is not None else None,
    )
    if signer.value is None or not settings.is_rsa:
        return settings
    policy = signer.text("signatureEncodingPolicy")
    # What is no policy means the default one, as in the reference.
    encoding = None if policy is None else (PEM if policy.lower() == PEM else PLAIN)
    algorithm = _one_of(signer, "signatureAlgorithm", _ALGORITHMS)
    return replace(settings, algorithm=algorithm, encoding=encoding)


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """Where plugins are, and after how many nanoseconds without a call one may end."""

    locations: tuple[str, ...] = ()
    idle_timeout: int | None = None


def read_plugins(entry: Node) -> PluginSettings:
    """Read ``plugin.config.ocm.software``."""
    idle = entry.duration("idleTimeout")
    if idle == 0:
        raise entry.member("idleTimeout").error("must be more than 0", "write it like 1h")
    return PluginSettings(entry.texts("locations"), idle)


def read_registries(entry: Node) -> tuple[str, ...]:
    """Read ``plugin.registry.config.ocm.software``: references of catalogs."""
    return entry.texts("registries")


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Limits of connections, in nanoseconds, and the exceptions of single hosts.

    None where nothing is said. ``hosts`` are by ``HOST:PORT``, as exact text.
    """

    timeout: int | None = None
    dial_timeout: int | None = None
    keep_alive: int | None = None
    handshake_timeout: int | None = None
    header_timeout: int | None = None
    idle_timeout: int | None = None
    insecure_skip_verify: bool | None = None
    max_retries: int | None = None
    min_wait: int | None = None
    max_wait: int | None = None
    hosts: Mapping[str, HttpSettings] = field(default_factory=lambda: MappingProxyType({}))

    def for_host(self, host: str) -> HttpSettings:
        """Return the settings for a host, written ``HOST:PORT``."""
        special = self.hosts.get(host)
        return self if special is None else merged([self, special])


def read_http(entry: Node) -> HttpSettings:
    """Read ``http.config.ocm.software``."""
    hosts = entry.member("hosts")
    return replace(
        _http(entry),
        hosts=MappingProxyType({name: _http(hosts.member(name)) for name in hosts.mapping()}),
    )


def _http(node: Node) -> HttpSettings:
    retry = node.member("retry")
    max_retries = retry.integer("maxRetries")
    if max_retries is not None and max_retries < 0:
        raise retry.member("maxRetries").error("must not be less than 0")
    return HttpSettings(
        timeout=node.duration("timeout"),
        dial_timeout=node.duration("tcpDialTimeout"),
        keep_alive=node.duration("tcpKeepAlive"),
        handshake_timeout=node.duration("tlsHandshakeTimeout"),
        header_timeout=node.duration("responseHeaderTimeout"),
        idle_timeout=node.duration("idleConnTimeout"),
        insecure_skip_verify=node.flag("insecureSkipVerify"),
        max_retries=max_retries,
        min_wait=retry.duration("minWait"),
        max_wait=retry.duration("maxWait"),
    )


@dataclass(frozen=True, slots=True)
class FilesystemSettings:
    """Folders, as they are written: for temporary files, and that relative inputs start from."""

    temp_folder: str | None = None
    working_directory: str | None = None


def read_filesystem(entry: Node) -> FilesystemSettings:
    """Read ``filesystem.config.ocm.software``."""
    return FilesystemSettings(
        entry.text("tempFolder") or None, entry.text("workingDirectory") or None
    )


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """What a transfer takes along; None where nothing is said.

    ``copy_all``: also content outside the repository. ``upload_type``: how it is stored.
    """

    recursive: bool | None = None
    copy_all: bool | None = None
    upload_type: str | None = None


def read_transfer(entry: Node) -> TransferSettings:
    """Read ``transfer.config.ocm.software``."""
    depth = entry.integer("recursive")
    if depth not in (None, 0, -1):
        raise entry.member("recursive").error(
            "must be 0 (none) or -1 (all)", "levels in between are not known to any tool"
        )
    mode = _one_of(entry, "copyMode", _COPY_MODES)
    return TransferSettings(
        None if depth is None else depth == -1,
        None if mode is None else mode == "allResources",
        _one_of(entry, "uploadType", _UPLOAD_TYPES),
    )


def _one_of(entry: Node, name: str, choices: tuple[str, ...]) -> str | None:
    text = entry.text(name)
    if text is not None and text not in choices:
        raise entry.member(name).error("is not known", f"one of: {', '.join(choices)}")
    return text


SettingsT = TypeVar("SettingsT", HttpSettings, FilesystemSettings, TransferSettings)


def merged(settings: Iterable[SettingsT]) -> SettingsT:
    """Return several settings (at least one) as one: what a later one says wins."""
    result, *others = settings
    for later in others:
        said = {one.name: getattr(later, one.name) for one in fields(later)}
        result = replace(
            result, **{name: value for name, value in said.items() if value is not None}
        )
    return result


def merged_http(settings: Iterable[HttpSettings]) -> HttpSettings:
    """Return several settings as one, with all their hosts."""
    every = (HttpSettings(), *settings)
    hosts = {name: host for one in every for name, host in one.hosts.items()}
    return replace(merged(every), hosts=MappingProxyType(hosts))


def merged_plugins(settings: Iterable[PluginSettings]) -> PluginSettings:
    """Return several settings as one: folders of a later one come first, its time-out wins."""
    result = PluginSettings()
    for later in settings:
        locations = dict.fromkeys((*later.locations, *result.locations))
        idle = result.idle_timeout if later.idle_timeout is None else later.idle_timeout
        result = PluginSettings(tuple(locations), idle)
    return result
