"""Every error that ocm-pkg raises on purpose, as one tree.

    OcmPkgError E100
      LocalStorageError E110: NoSpaceError E111
      UsageError E200: ConfigError E210, InvalidReferenceError E220, InvalidDocumentError E230
      NotFoundError E300: ComponentVersionNotFoundError E301, NoMatchingPlatformError E302,
        PluginNotFoundError E303, ResourceNotFoundError E304, FileMissingError E305
      IntegrityError E400: DigestMismatchError E401, UntrustedError E402, SignatureError E403,
        UnsafeArchiveError E404, WrongBinaryError E405
      StoreError E500: AuthenticationError E501, RegistryError E502, TransportError E503,
        UnreachableContentError E504
      BuildError E600: ToolMissingError E601, UnsupportedTargetError E602, BinaryPlatformError E603
      PluginError E700: PluginStartError E701, PluginTimeoutError E702, PluginProtocolError E703,
        PluginCallError E704
      ConflictError E800: AlreadyExistsError E801, AmbiguousResourceError E802,
        DuplicatePluginError E803

The first digit of a code is the exit code. Codes are a promise: never renumber one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class OcmPkgError(Exception):
    """Something a user, a file, a registry or a plugin caused.

    ``message`` is one line: what was tried, on what, why it failed. ``hint`` is the next command
    or edit. ``at`` is ``FILE[:LINE[:COLUMN]]`` where that helps. ``detail`` is more lines to show
    below the message: the offending line of a document, the last lines of a log.
    """

    code = "E100"
    shown = False
    """Whether it was printed already, as a part of a result."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        at: str | None = None,
        detail: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.at = at
        self.detail = tuple(detail)

    @property
    def exit_code(self) -> int:
        """The exit status of a command that ends with this error."""
        return int(self.code[1])


class LocalStorageError(OcmPkgError):
    """The disk or its permissions stopped the work: read-only, not permitted, I/O error."""

    code = "E110"


class NoSpaceError(LocalStorageError):
    """The file system is full, or a quota is."""

    code = "E111"


class UsageError(OcmPkgError):
    """The command line is wrong."""

    code = "E200"


class ConfigError(UsageError):
    """A configuration file, or one of our own project files, is wrong."""

    code = "E210"


class InvalidReferenceError(UsageError):
    """A component version reference or repository cannot be parsed."""

    code = "E220"


class InvalidDocumentError(UsageError):
    """A document breaks its format: syntax, schema, limits."""

    code = "E230"


class NotFoundError(OcmPkgError):
    """What was asked for does not exist."""

    code = "E300"


class ComponentVersionNotFoundError(NotFoundError):
    """The repository has no such component version."""

    code = "E301"


class NoMatchingPlatformError(NotFoundError):
    """A component version has the plugin, but no binary for the platform."""

    code = "E302"


class PluginNotFoundError(NotFoundError):
    """No installed or registered plugin answers to that name or capability."""

    code = "E303"


class ResourceNotFoundError(NotFoundError):
    """The component version has no such resource or source."""

    code = "E304"


class FileMissingError(NotFoundError):
    """A file or folder that was named does not exist."""

    code = "E305"


class IntegrityError(OcmPkgError):
    """Content is not what was signed, digested or declared. Never retried, never softened."""

    code = "E400"


class DigestMismatchError(IntegrityError):
    """Bytes differ from the digest or size that was promised for them."""

    code = "E401"


class UntrustedError(IntegrityError):
    """Unsigned, or signed by nobody who is trusted for this component."""

    code = "E402"


class SignatureError(IntegrityError):
    """A signature does not verify, or is no valid signature document."""

    code = "E403"


class UnsafeArchiveError(IntegrityError):
    """An archive would write outside its folder, or breaks a limit."""

    code = "E404"


class WrongBinaryError(IntegrityError):
    """A program that was delivered is for another platform than its identity says."""

    code = "E405"


class StoreError(OcmPkgError):
    """A registry or the network failed."""

    code = "E500"


class AuthenticationError(StoreError):
    """The registry refuses the credentials, or there are none."""

    code = "E501"


class RegistryError(StoreError):
    """The registry answered with an error status, or with what the protocol does not allow.

    ``status`` is the HTTP status, 0 if it was not that; ``registry_code`` the registry's own code,
    such as ``DIGEST_INVALID``.
    """

    code = "E502"

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        registry_code: str = "",
        hint: str | None = None,
        detail: Sequence[str] = (),
    ) -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.status = status
        self.registry_code = registry_code


class TransportError(StoreError):
    """No answer came: connection, time-out, TLS."""

    code = "E503"


class UnreachableContentError(StoreError):
    """Content outside the repository was needed and could not be read."""

    code = "E504"


class BuildError(OcmPkgError):
    """A build failed; the last lines of its log are the detail."""

    code = "E600"


class ToolMissingError(BuildError):
    """A program that the builder needs is not on this machine."""

    code = "E601"


class UnsupportedTargetError(BuildError):
    """The builder cannot build for that platform on this machine."""

    code = "E602"


class BinaryPlatformError(BuildError):
    """The header of a built binary names another platform than its target."""

    code = "E603"


class PluginError(OcmPkgError):
    """A plugin misbehaved."""

    code = "E700"


class PluginStartError(PluginError):
    """A plugin did not start, or ended before it was ready."""

    code = "E701"


class PluginTimeoutError(PluginError):
    """A plugin did not answer within its limit."""

    code = "E702"


class PluginProtocolError(PluginError):
    """A plugin said something that the contract does not allow."""

    code = "E703"


class PluginCallError(PluginError):
    """A plugin answered a call with an error."""

    code = "E704"


class ConflictError(OcmPkgError):
    """What would be made exists already, or a request fits several things."""

    code = "E800"


class AlreadyExistsError(ConflictError):
    """The component version, file or plugin is there with other content."""

    code = "E801"


class AmbiguousResourceError(ConflictError):
    """A selection fits more than one element."""

    code = "E802"


class DuplicatePluginError(ConflictError):
    """Two plugins of one sort claim the same capability and type."""

    code = "E803"


def escaped(text: str, limit: int = 64 * 1024) -> str:
    r"""Return ``text`` fit for a terminal: unprintable as ``\xNN``, cut after ``limit`` characters.

    Text that others wrote (a registry, a plugin, a document) can hold escape sequences, line
    breaks and marks that turn the direction of writing.
    """
    if len(text) > limit:
        text = text[:limit] + "…"
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
