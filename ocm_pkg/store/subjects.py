"""Which manifests of a CTF have another one as their subject: found by reading them, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.store.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.store.base import OCIDescriptor
    from ocm_pkg.store.ctfindex import Entry


class Subjects:
    """Remembers what every manifest says, as its digest is known and it never changes."""

    def __init__(self) -> None:
        self._known: dict[Digest, tuple[Digest, OCIDescriptor] | None] = {}

    def referrers(
        self, entries: Iterable[Entry], digest: Digest, read: Callable[[Entry], bytes]
    ) -> list[OCIDescriptor]:
        """Return those of ``entries`` that refer to ``digest``; one that can't be read does not."""
        found = {}
        for entry in entries:
            if entry.digest not in self._known:
                self._known[entry.digest] = _subject(entry, read)
            known = self._known[entry.digest]
            if known is not None and known[0] == digest:
                found[entry.digest] = known[1]
        return list(found.values())


def _subject(entry: Entry, read: Callable[[Entry], bytes]) -> tuple[Digest, OCIDescriptor] | None:
    try:
        data = read(entry)
        manifest = Manifest.parse(data, entry.media_type, str(entry.digest))
    except OcmPkgError:
        return None
    if manifest.subject is None:
        return None
    return manifest.subject.digest, manifest.referrer(entry.digest, len(data))
