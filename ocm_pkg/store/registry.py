"""An OCI registry as a store, over the distribution API."""

from __future__ import annotations

import random as _random
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import quote

from ocm_pkg.errors import (
    AlreadyExistsError,
    AuthenticationError,
    DigestMismatchError,
    RegistryError,
)
from ocm_pkg.fs.atomic import storage_errors
from ocm_pkg.fs.blob import FileBlob, copy_blob, read_all, verify
from ocm_pkg.model.digest import Digest, digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.content import Content, WholeContent
from ocm_pkg.store.download import RemoteBlob
from ocm_pkg.store.exchange import Body
from ocm_pkg.store.imagename import HUB, HUB_API, ImageName, split_reference
from ocm_pkg.store.known import Known
from ocm_pkg.store.manifests import Manifest, ManifestBlob, Manifests
from ocm_pkg.store.referrers import ReferrersList, subject_of
from ocm_pkg.store.remote import (
    DELETE,
    MAX_DOCUMENT,
    PULL,
    PUSH,
    Remote,
    checked_name,
    checked_tag,
    missing,
)
from ocm_pkg.store.tagpages import all_repositories, all_tags
from ocm_pkg.store.tokens import login_command
from ocm_pkg.store.upload import CHUNK, Session, Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ocm_pkg.ports import Blob
    from ocm_pkg.store.base import ContentCache
    from ocm_pkg.store.client import RegistryClient
    from ocm_pkg.store.exchange import Response

_NO_CATALOG = frozenset({400, 401, 403, 404, 405, 501})
SMALL = 1024 * 1024
"""Content up to this size is read, and verified, before anything of it is sent."""


class RegistryStore:
    """The repositories below ``path`` of the registry that ``client`` reaches.

    Safe to use from many threads. ``cache`` keeps what is fetched. A registry can't compare and
    set a tag: between ``tag`` finding out what it stands for and setting it, another writer may
    set it too, and the later one stays.

    ``chunk`` is the size of chunks where a registry wants them; ``clock``, ``sleep`` and
    ``random`` are those of the process, or of a test.
    """

    def __init__(
        self,
        client: RegistryClient,
        *,
        path: str = "",
        cache: ContentCache | None = None,
        chunk: int = CHUNK,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self.client = client
        self.path = checked_name(path) if path else ""
        self._cache = cache
        self._chunk = chunk
        self._manifests = Manifests(clock)
        self._referrers = ReferrersList(self._manifests, clock=clock, sleep=sleep, random=random)
        self._there = Known[int](clock)
        self._absent = Known[bool](clock)
        self._sessions = Known[Session](clock)

    def remote_of(self, repository: str) -> Remote:
        """Return a repository as the registry knows it; nothing is asked yet."""
        return Remote(self.client, f"{self.path}/{repository}" if self.path else repository)

    def exists(self, repository: str, digest: Digest) -> OCIDescriptor | None:
        """Return digest and size of a blob or manifest that is there, else None."""
        remote = self.remote_of(repository)
        size = self._size(remote, digest)
        if size is not None:
            return OCIDescriptor(media.OCTET_STREAM, digest, size)
        found = self._manifests.by_digest(remote, digest, is_there=True)
        return None if found is None else found.descriptor

    def _size(self, remote: Remote, digest: Digest, actions: tuple[str, ...] = PULL) -> int | None:
        """Return the size of a blob, None if it isn't there."""
        known = self._there.get(remote.name, digest)
        if known is not None:
            return known
        url = remote.url("blobs", digest)
        with remote.call("HEAD", url, expect={200, 404}, actions=actions) as answer:
            if answer.status == 404:
                self._absent.put(remote.name, digest, value=True)
                return None
            size = answer.length
        if size is None:
            with remote.call("GET", url, expect={200}, actions=actions) as answer:
                size = answer.length
        if size is None:
            raise remote.error(f"that it has {digest}, but not how long it is")
        self._there.put(remote.name, digest, size)
        return size

    def fetch(self, repository: str, descriptor: OCIDescriptor) -> Blob:
        """Return content that is asked for when it is opened, and verified as it is read.

        Opening it raises ``NotFoundError`` if it isn't there.
        """
        remote = self.remote_of(repository)
        blob: Blob
        if descriptor.media_type in media.MANIFESTS:
            blob = ManifestBlob(self._manifests, remote, descriptor)
        else:
            blob = RemoteBlob(remote, descriptor)
        return blob if self._cache is None else self._cache.blob(blob)

    def push(self, repository: str, blob: Blob, media_type: str) -> OCIDescriptor:
        """Store content, reading it once at most; what is there already is not sent.

        Raises ``DigestMismatchError`` if the blob isn't what it promises, or the registry has
        other bytes afterwards.
        """
        remote = self.remote_of(repository)
        if media_type in media.MANIFESTS:
            return self._push_manifest(remote, blob, media_type)
        if blob.size is not None:
            return self._push_blob(remote, blob, blob.size, media_type)
        import tempfile

        with (
            storage_errors("keeping content in the temporary folder"),
            tempfile.NamedTemporaryFile(prefix="ocm-pkg-") as file,
        ):
            digest, size = copy_blob(blob, cast("BinaryIO", file))
            file.flush()
            spooled = FileBlob(Path(file.name), None, size, digest)
            return self._push_blob(remote, spooled, size, media_type)

    def _push_blob(self, remote: Remote, blob: Blob, size: int, media_type: str) -> OCIDescriptor:
        digest = blob.digest
        content: Content | WholeContent | None = None
        if digest is None and size <= SMALL:
            content = WholeContent.read(blob, size, None)
            digest = content.digest
        if digest is not None and self._has(remote, digest, size):
            return OCIDescriptor(media_type, digest, size)
        session = None if digest is None else self._sessions.pop(remote.name, digest)
        if content is None and size <= SMALL:
            content = WholeContent.read(blob, size, digest)
        if content is not None:
            Upload(remote, content, session=session, chunk=self._chunk).run()
        else:
            with Content(blob, size, digest) as content:
                Upload(remote, content, session=session, chunk=self._chunk).run()
        stored = cast("Digest", content.digest)
        self._there.put(remote.name, stored, size)
        return OCIDescriptor(media_type, stored, size)

    def _has(self, remote: Remote, digest: Digest, size: int) -> bool:
        """Whether a blob is there; it was asked for just now, or is asked for now."""
        if self._absent.pop(remote.name, digest):
            return False
        there = self._size(remote, digest, PUSH)
        self._absent.pop(remote.name, digest)
        if there is not None and there != size:
            raise DigestMismatchError(
                f"{digest} has {there} bytes in {remote.name}, and {size} here",
                hint="one of the two is not what its digest says: compute it again; or a proxy "
                "answered in the registry's place",
            )
        return there is not None

    def _push_manifest(self, remote: Remote, blob: Blob, media_type: str) -> OCIDescriptor:
        what = f"the manifest for {remote.name}"
        data = read_all(blob, MAX_DOCUMENT, what)
        promised = blob.digest or digest_of(data)
        digest = digest_of(data, promised.algorithm)
        if digest != promised:
            raise DigestMismatchError(
                f"{what} is not what was promised: expected {promised}, got {digest}",
                hint="the content was changed or cut while it was read; try again",
            )
        manifest = Manifest(OCIDescriptor(media_type, digest, len(data)), data)
        answer = self._put(remote, manifest, str(digest))
        found = subject_of(manifest, what)
        if found is not None and not answer.headers.get("OCI-Subject"):
            self._referrers.added(remote, *found)
        return manifest.descriptor

    def _put(self, remote: Remote, manifest: Manifest, reference: str) -> Response:
        try:
            return self._manifests.put(remote, manifest, reference)
        except RegistryError:
            # It may miss a blob that was there a moment ago.
            self._there.clear()
            raise

    def resolve(self, repository: str, reference: str) -> OCIDescriptor | None:
        """Return what a tag or digest stands for, or None.

        The digest is computed from the bytes of the manifest, whatever the registry says.
        """
        remote = self.remote_of(repository)
        if ":" in reference:
            found = self._manifests.by_digest(remote, Digest.parse(reference), is_there=True)
            return None if found is None else found.descriptor
        found = self._manifests.by_tag(remote, checked_tag(reference))
        if found is None:
            return None
        if self._cache is not None:
            # Read to the end, it is kept.
            verify(self._cache.blob(ManifestBlob(self._manifests, remote, found.descriptor)))
            origin = str(self.client.origin)
            self._cache.remember(origin, remote.name, reference, found.descriptor)
        return found.descriptor

    def tag(
        self, repository: str, descriptor: OCIDescriptor, tag: str, *, replace: bool = True
    ) -> None:
        """Point ``tag`` at a manifest that was pushed: the commit; see ``OCIStore.tag``."""
        remote = self.remote_of(repository)
        checked_tag(tag)
        wanted = descriptor.digest
        if not replace:
            there = self._manifests.by_tag(remote, tag, actions=PUSH)
            if there is not None:
                if digest_of(there.data, wanted.algorithm) == wanted:
                    return
                raise AlreadyExistsError(
                    f"{remote.name}:{tag} is there with other content",
                    hint="choose another version, or replace it with --replace",
                )
        manifest = self._manifests.by_digest(remote, wanted, actions=PUSH)
        if manifest is None:
            raise missing(remote, wanted)
        self._put(remote, manifest, tag)

    def tags(self, repository: str) -> Sequence[str]:
        """Return all tags, sorted; empty if there is no such repository."""
        return all_tags(self.remote_of(repository))

    def repositories(self) -> Sequence[str]:
        """Return the names of all repositories below the path, sorted.

        Raises ``RegistryError`` where the registry has no list of them, or not for us.
        """
        try:
            names = all_repositories(self.client)
        except (AuthenticationError, RegistryError) as error:
            if isinstance(error, RegistryError) and error.status not in _NO_CATALOG:
                raise
            command = login_command(self.client.origin)
            login = f"; for a login: {command}" if isinstance(error, AuthenticationError) else ""
            raise RegistryError(
                f"{self.client.origin} does not list its repositories",
                status=getattr(error, "status", 401),
                hint="name the component: REPOSITORY//COMPONENT" + login,
                detail=[error.message],
            ) from error
        prefix = f"{self.path}/" if self.path else ""
        return sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix))

    def mount(self, repository: str, digest: Digest, source: object, origin: str) -> bool:
        """Make a blob of ``origin``, a repository of ``source``, one of ``repository``.

        Returns false if ``source`` is in another registry, or the registry doesn't do it; an
        upload that it has begun instead is used by the next ``push`` of that blob.
        """
        if not isinstance(source, RegistryStore) or source.client.origin != self.client.origin:
            return False
        remote, other = self.remote_of(repository), source.remote_of(origin)
        if remote.name == other.name:
            return False
        query = f"?mount={quote(str(digest), safe='')}&from={quote(other.name, safe='')}"
        try:
            answer = remote.call(
                "POST",
                remote.url("blobs", "uploads/") + query,
                expect={201, 202},
                actions=PUSH,
                origin=other.name,
                body=Body.of(b""),
            )
        except (AuthenticationError, RegistryError):
            # Where it may not be read, or can't be mounted, it is copied.
            return False
        answer.close()
        if answer.status == 201:
            self._absent.pop(remote.name, digest)
            return True
        with suppress(RegistryError):
            self._sessions.put(remote.name, digest, Session.of(remote, answer))
        return False

    def delete(self, repository: str, digest: Digest) -> bool:
        """Delete a manifest, with its tags, or a blob; false if it isn't there."""
        remote = self.remote_of(repository)
        manifest = self._manifests.by_digest(remote, digest)
        kind = "blobs" if manifest is None else "manifests"
        self._manifests.forget(remote, digest)
        self._there.pop(remote.name, digest)
        url = remote.url(kind, digest)
        try:
            with self._referrers.without(remote, manifest):
                answer = remote.call("DELETE", url, expect={200, 202, 204, 404}, actions=DELETE)
        except RegistryError as error:
            if error.status != 405:
                raise
            raise RegistryError(
                error.message,
                status=405,
                registry_code=error.registry_code,
                hint="the registry does not delete: its settings say whether it may",
            ) from error
        answer.close()
        return answer.status != 404

    def referrers(
        self, repository: str, digest: Digest, artifact_type: str | None = None
    ) -> Sequence[OCIDescriptor]:
        """Return the manifests that refer to ``digest``, those of one type if it is given.

        See ``store.referrers`` for registries without that API.
        """
        return self._referrers.of(self.remote_of(repository), digest, artifact_type)

    def referrers_by_api(self, repository: str, digest: Digest) -> Sequence[OCIDescriptor] | None:
        """Return the manifests that refer to ``digest``; None if the registry has no such API."""
        return self._referrers.by_api(self.remote_of(repository), digest)


def image_name(reference: str) -> ImageName:
    """Read ``[http[s]://][HOST[:PORT]/]NAME[:TAG][@DIGEST]``, or ``InvalidReferenceError``.

    Without a host it is of Docker Hub, where a name of one part is below ``library/``. Without a
    scheme it is reached by https. Tag and digest are None where none is given.
    """
    scheme, host, name, tag, digest = split_reference(reference)
    from oras.container import Container  # type: ignore[import-untyped]

    # What it takes for a host has a dot; the one that was given may have none.
    repository = Container(f"{HUB}/{name}").api_prefix
    if host == HUB_API and "/" not in repository:
        repository = f"library/{repository}"
    return ImageName(f"{scheme}://{host}", repository, tag, digest)
