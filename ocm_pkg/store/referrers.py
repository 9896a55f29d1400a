"""Which manifests refer to another one: by the registry's API, else by the tag of the fallback.

A registry without the API keeps an index of them under a tag that is made of the digest
(distribution specification, "Referrers Tag Schema"), which each writer reads, adds to, and writes
again. Such a registry can't compare and set: a writer looks again after a moment whether its entry
is still there, and writes it again if another one was faster. One that takes much longer than
others for reading and writing can still undo another's entry.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import quote

from ocm_pkg.errors import InvalidDocumentError, RegistryError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.jsontext import Limits, parse_json
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.manifest import Manifest as Document
from ocm_pkg.store.manifests import Manifest
from ocm_pkg.store.remote import MAX_DOCUMENT, PUSH, read_json
from ocm_pkg.store.tagpages import check_count, pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.store.exchange import Response
    from ocm_pkg.store.manifests import Manifests
    from ocm_pkg.store.remote import Remote

SETTLE = 0.3
"""Seconds after which a writer of the fallback tag looks whether its entry is still there."""

_ROUNDS = 20
_SLOWER = 5
_MAX_REFERENCE = 64


def fallback_tag(digest: Digest) -> str:
    """Return the tag under which a registry without the API keeps what refers to ``digest``."""
    return f"{digest.algorithm[:32]}-{digest.hex[:_MAX_REFERENCE]}"


class ReferrersList:
    """Reads and writes the referrers of a registry's manifests."""

    def __init__(
        self,
        manifests: Manifests,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[], float],
        settle: float = SETTLE,
    ) -> None:
        self._manifests = manifests
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._settle = settle
        self._lock = Lock()

    def of(
        self, remote: Remote, digest: Digest, artifact_type: str | None
    ) -> Sequence[OCIDescriptor]:
        """Return what refers to ``digest``, by the API or the tag; those of one type if given."""
        found = self.by_api(remote, digest, artifact_type)
        if found is None:
            found = self._by_tag(remote, digest)
        wanted = [
            one for one in found if artifact_type is None or one.artifact_type == artifact_type
        ]
        return tuple({one.digest: one for one in wanted}.values())

    def by_api(
        self, remote: Remote, digest: Digest, artifact_type: str | None = None
    ) -> list[OCIDescriptor] | None:
        """Return what the registry's API says that refers to ``digest``; None without the API."""
        what = f"the list of what refers to {digest}"
        url = remote.url("referrers", digest)
        if artifact_type is not None:
            url += f"?artifactType={quote(artifact_type, safe='')}"
        found: list[OCIDescriptor] | None = None
        for response in pages(lambda url: _page(remote, url), url, what):
            found = (found or []) + _entries(read_json(response, what), what)
            check_count(len(found), what)
        return found

    def _by_tag(self, remote: Remote, digest: Digest) -> list[OCIDescriptor]:
        index = self._manifests.by_tag(remote, fallback_tag(digest))
        return [] if index is None else _entries(_value(index), fallback_tag(digest))

    def added(self, remote: Remote, subject: Digest, manifest: OCIDescriptor) -> None:
        """Enter a manifest that was stored in the index of its subject, which has a tag."""
        self._change(remote, subject, manifest.digest, manifest)

    @contextmanager
    def without(self, remote: Remote, manifest: Manifest | None) -> Iterator[None]:
        """Take a manifest that is deleted now out of the index of its subject, if it is in one.

        It comes back if the deletion fails.
        """
        found = None
        if manifest is not None:
            what = f"{manifest.descriptor.digest} of {remote.name}"
            found = subject_of(manifest, what)
        if (
            manifest is None
            or found is None
            or self._manifests.by_tag(remote, fallback_tag(found[0])) is None
        ):
            yield
            return
        subject, entry = found
        digest = manifest.descriptor.digest
        self._change(remote, subject, digest, None)
        try:
            yield
        except BaseException:
            self._change(remote, subject, digest, entry)
            raise

    def _change(
        self, remote: Remote, subject: Digest, digest: Digest, entry: OCIDescriptor | None
    ) -> None:
        for _round in range(_ROUNDS):
            with self._lock:
                started = self._clock()
                was_missing = self._write(remote, subject, digest, entry)
                took = self._clock() - started
            if not was_missing:
                return
            # Where this was slow, it is for others too.
            self._sleep(max(self._settle, _SLOWER * took) * (0.5 + self._random()))
        raise RegistryError(
            f"other writers keep changing the referrers of {subject} in {remote.name}",
            hint="run the command again when they are done",
        )

    def _write(
        self, remote: Remote, subject: Digest, digest: Digest, entry: OCIDescriptor | None
    ) -> bool:
        """Change the index if it has to be changed; return whether that was so."""
        tag = fallback_tag(subject)
        index = self._manifests.by_tag(remote, tag, actions=PUSH)
        before = [] if index is None else _entries(_value(index), tag)
        if any(one.digest == digest for one in before) == (entry is not None):
            return False
        kept = [one for one in before if one.digest != digest]
        after = kept if entry is None else [*kept, entry]
        self._manifests.put(remote, _index(after), tag)
        return True


def _page(remote: Remote, url: str) -> Response | None:
    """Return a page; None where there is no such API, which some answer with 200 and a page."""
    try:
        response = remote.call("GET", url, expect={200, 404}, headers={"Accept": media.OCI_INDEX})
    except RegistryError as error:
        # What registries say that know nothing of this way.
        if error.status in (400, 405, 406, 501):
            return None
        raise
    if response.status == 200 and response.media_type == media.OCI_INDEX:
        return response
    response.close()
    return None


def _value(manifest: Manifest) -> object:
    return parse_json(manifest.data, name="an index", limits=Limits(size=MAX_DOCUMENT))


def _entries(value: object, what: str) -> list[OCIDescriptor]:
    entries = value.get("manifests") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise RegistryError(f"{what} is no index of manifests")
    try:
        return [OCIDescriptor.from_json(entry, what=f"an entry of {what}") for entry in entries]
    except InvalidDocumentError as error:
        raise RegistryError(error.message, hint=error.hint) from error


def _index(entries: Sequence[OCIDescriptor]) -> Manifest:
    value = {
        "schemaVersion": 2,
        "mediaType": media.OCI_INDEX,
        "manifests": [entry.to_json() for entry in entries],
    }
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Manifest(OCIDescriptor(media.OCI_INDEX, digest_of(data), len(data)), data)


def subject_of(manifest: Manifest, what: str) -> tuple[Digest, OCIDescriptor] | None:
    """Return the subject of a manifest, and the entry for its index; None if it has none."""
    if b'"subject"' not in manifest.data:
        return None
    descriptor = manifest.descriptor
    document = Document.parse(manifest.data, descriptor.media_type, what)
    if document.subject is None:
        return None
    return document.subject.digest, document.referrer(descriptor.digest, descriptor.size)
