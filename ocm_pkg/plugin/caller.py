"""Operations of one plugin, by the endpoint table: what every proxy is made of."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

from ocm_pkg.contract.endpoints import endpoint
from ocm_pkg.contract.jsontext import write_json
from ocm_pkg.contract.messages import LOCAL_FILE, Location, encode_query
from ocm_pkg.errors import (
    AuthenticationError,
    DigestMismatchError,
    InvalidDocumentError,
    PluginProtocolError,
    escaped,
)
from ocm_pkg.fs.blob import FileBlob, copy_blob
from ocm_pkg.fs.watched import file_of
from ocm_pkg.model.digest import Digest, algorithm_of, new_hasher
from ocm_pkg.plugin.client import CallStatusError, check_status, request_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ocm_pkg.contract.capabilities import Kind
    from ocm_pkg.contract.jsontext import JSONValue
    from ocm_pkg.model.descriptor import Resource, Source
    from ocm_pkg.plugin.http import Response
    from ocm_pkg.plugin.instance import PluginInstance
    from ocm_pkg.ports import Blob, Spec

CredentialSource: TypeAlias = "Callable[[Mapping[str, str]], Mapping[str, Any] | None]"
"""Returns the credential object for a consumer identity, or nothing."""

_GENERIC_DIGEST = "genericBlobDigest/v1"
_NO_ENDPOINT = "404 page not found"
_UNAUTHORISED = 401


class Caller:
    """Calls the operations of one kind on one plugin.

    With ``credentials``, the plugin is asked once which consumer identity its spec has, and what
    the source has for it goes with every call.
    """

    def __init__(
        self, instance: PluginInstance, kind: Kind, *, credentials: CredentialSource | None = None
    ) -> None:
        self.instance = instance
        self.kind = kind
        self._source = credentials

    @property
    def plugin(self) -> str:
        """The plugin's name for messages."""
        return self.instance.plugin.label

    def send(
        self,
        operation: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        credentials: Mapping[str, Any] | None = None,
    ) -> tuple[JSONValue, Response]:
        """Call an operation; return the value of its answer, and the answer itself.

        Raises ``AuthenticationError`` for status 401, ``CallStatusError`` for any other than 200,
        ``PluginProtocolError`` for an answer that is not what the operation answers with.
        """
        row = endpoint(self.kind, operation)
        path = f"{row.path}?{encode_query(query)}" if query else row.path
        response = self.instance.call(
            row.method,
            path,
            body=None if body is None else write_json(dict(body)).encode(),
            headers=request_headers(credentials, identity=operation.endswith("identity")),
            idempotent=row.idempotent,
        )
        try:
            check_status(response, plugin=self.plugin, what=row.path)
            return row.read_answer(response.body), response
        except CallStatusError as error:
            self.instance.explain(error, "call")
            if error.status != _UNAUTHORISED:
                raise
            raise AuthenticationError(
                error.message,
                hint="configure credentials for it, or log in: ocm-pkg login HOST",
                detail=error.detail,
            ) from error
        except PluginProtocolError as error:
            raise self.refused(error.message) from error

    def call(
        self,
        operation: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        credentials: Mapping[str, Any] | None = None,
    ) -> JSONValue:
        """Call an operation and return the value of its answer; errors as for ``send``."""
        return self.send(operation, query=query, body=body, credentials=credentials)[0]

    def credentials_for(
        self, spec: Spec, operation: str = "identity", body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any] | None:
        """Return the credentials for a spec, by the identity that the plugin gives for it.

        A plugin that gives none, or cannot tell, is called without credentials.
        """
        if self._source is None:
            return None
        try:
            answer = self.call(operation, body=body or {"type": spec})
        except (CallStatusError, AuthenticationError):
            return None
        # Kinds for credentials answer with the identity itself, all others wrap it.
        identity = answer if operation == "consumer_identity" else (answer or {}).get("identity")
        if not isinstance(identity, dict) or "type" not in identity:
            return None
        return self._source({name: str(value) for name, value in identity.items()})

    @contextlib.contextmanager
    def handed_over(self, blob: Blob, expected: Digest | None = None) -> Iterator[dict[str, Any]]:
        """Give the location of a blob's content, verified, as a file that the plugin can open.

        A file that exists already is handed over by its path; other content is written to a
        temporary file in the plugin's content folder, which is removed afterwards. Raises
        ``DigestMismatchError`` if the content is not what the blob or ``expected`` says.
        """
        whole = file_of(blob)
        if whole is not None and _is_whole(whole):
            if blob.digest is not None or expected is not None:
                _copy(blob, cast("BinaryIO", _Nowhere()), expected)
            yield Location(LOCAL_FILE, str(whole.path.absolute()), blob.media_type).to_json()
            return
        folder = self.instance.content_folder()
        with tempfile.NamedTemporaryFile(dir=folder, prefix="upload-") as file:
            _copy(blob, cast("BinaryIO", file), expected)
            file.flush()
            yield Location(LOCAL_FILE, file.name, blob.media_type).to_json()

    def received(
        self,
        value: JSONValue,
        *,
        media_type: str | None = None,
        digest: Digest | None = None,
    ) -> FileBlob:
        """Return the content at a location that the plugin gave: an absolute path of a file.

        With a ``digest`` every full reading of it is verified.
        """
        try:
            location = Location.parse(value)
        except PluginProtocolError as error:
            raise self.refused(error.message) from error
        if location.type != LOCAL_FILE:
            raise self.refused(f"locations of type {location.type} are not read, only {LOCAL_FILE}")
        path = Path(location.value)
        if not path.is_file():
            raise self.refused(
                f"the file {escaped(location.value, 300)} that it names is not there"
            )
        media_type = location.media_type or media_type
        return FileBlob(path, media_type, size=path.stat().st_size, digest=digest)

    def refused(self, reason: str) -> PluginProtocolError:
        """Return the error for an answer that breaks the contract."""
        error = PluginProtocolError(
            f"plugin {self.plugin}: {reason}", hint="update the plugin, or tell its provider"
        )
        self.instance.explain(error, "call")
        return error


def is_no_endpoint(error: CallStatusError) -> bool:
    """Whether a plugin does not know the path, as opposed to the thing that was asked for."""
    return error.status == 404 and error.text == _NO_ENDPOINT


def expected_digest(element: Resource | Source) -> Digest | None:
    """Return the digest that the content of ``element`` must have, if the descriptor has it."""
    if element.access.is_local_blob:
        with contextlib.suppress(InvalidDocumentError):
            return element.access.local_reference
    return recorded_digest(element)


def recorded_digest(element: Resource | Source) -> Digest | None:
    """Return the digest of the content that the element itself has, whatever its access."""
    digest = getattr(element, "digest", None)
    if digest is None or digest.normalisation_algorithm != _GENERIC_DIGEST:
        return None
    return Digest(algorithm_of(digest.hash_algorithm), digest.value.lower())


def _is_whole(blob: FileBlob) -> bool:
    """Whether the blob is all of its file, and not a part of it."""
    try:
        return blob.size == blob.path.stat().st_size
    except OSError:
        return False


def _copy(blob: Blob, out: BinaryIO, expected: Digest | None) -> None:
    hasher = None if expected is None else new_hasher(expected.algorithm)
    copy_blob(blob, out, hasher=hasher)
    if expected is None or hasher is None:
        return
    found = Digest(expected.algorithm, hasher.hexdigest())
    if found != expected:
        raise DigestMismatchError(
            f"the content has the digest {found}, the element says {expected}",
            hint="leave the digest out of the element, or store the content that it is of",
        )


class _Nowhere:
    """Takes what was only read to be verified."""

    def write(self, data: bytes | memoryview) -> int:
        return len(data)
