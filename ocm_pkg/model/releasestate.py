"""``release.json``: how far a release came, and from what, so that it can be gone on with."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from ocm_pkg.model.members import FORMAT_VERSION, Members

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.model.digest import Digest

FILE_NAME = "release.json"
MAX_BYTES = 64 * 1024
"""How long the file may be."""

STEPS = ("check", "build", "test", "package", "sign", "publish")
"""The steps of a release, in their order."""


@dataclass(frozen=True, slots=True)
class ReleaseInputs:
    """What a release is made from.

    ``config`` is the digest of the project file, ``lock`` that of the requirements; ``commit`` ends
    with ``-dirty`` if files differ from it, and is None without one. ``signer`` is the fingerprint
    of the key, ``signature`` the name of the signature.
    """

    component: str
    version: str
    commit: str | None
    config: Digest
    lock: Digest | None
    signer: str
    signature: str

    @property
    def is_fixed(self) -> bool:
        """Whether the same commit means the same sources: not without one, nor with changes."""
        return self.commit is not None and not self.commit.endswith("-dirty")

    def differences(self, earlier: ReleaseInputs) -> tuple[str, ...]:
        """Return what became different since ``earlier``, for people; signing is not looked at."""
        pairs = (
            ("component", earlier.component, self.component),
            ("version", earlier.version, self.version),
            ("commit", earlier.commit, self.commit),
            ("project file", earlier.config, self.config),
            ("requirements", earlier.lock, self.lock),
        )
        return tuple(
            f"{what}: was {before or 'none'}, is {now or 'none'}"
            for what, before, now in pairs
            if before != now
        )


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """Which steps are done, and what they left.

    ``part`` is the digest of ``part.json``, ``digest`` that of the component version; None as long
    as the step that makes it is not done.
    """

    inputs: ReleaseInputs
    part: Digest | None = None
    digest: Digest | None = None
    steps: tuple[str, ...] = ()

    def with_step(
        self, step: str, *, part: Digest | None = None, digest: Digest | None = None
    ) -> Self:
        """Return the state after ``step`` was done; ``part`` and ``digest`` if it made them."""
        done = {*self.steps, step}
        return replace(
            self,
            part=part or self.part,
            digest=digest or self.digest,
            steps=tuple(name for name in STEPS if name in done),
        )

    def before(self, step: str) -> Self:
        """Return the state without ``step``, all that come after it, and what they left."""
        gone: Sequence[str] = STEPS[STEPS.index(step) :]
        return replace(
            self,
            part=None if "build" in gone else self.part,
            digest=None if "package" in gone else self.digest,
            steps=tuple(name for name in self.steps if name not in gone),
        )

    def encode(self) -> bytes:
        """Return the file."""
        inputs = self.inputs
        document = {
            "formatVersion": FORMAT_VERSION,
            "component": inputs.component,
            "version": inputs.version,
            "commit": inputs.commit,
            "config": str(inputs.config),
            "lock": _text(inputs.lock),
            "signer": inputs.signer,
            "signature": inputs.signature,
            "part": _text(self.part),
            "digest": _text(self.digest),
            "steps": [{"step": step} for step in self.steps],
        }
        return json.dumps(document, indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes, *, name: str) -> Self:
        """Read the file, or raise ``InvalidDocumentError`` that names the member."""
        members = Members.of_document(data, name)
        inputs = ReleaseInputs(
            component=members.text("component"),
            version=members.text("version"),
            commit=members.optional_text("commit"),
            config=members.digest("config"),
            lock=members.optional_digest("lock"),
            signer=members.text("signer"),
            signature=members.text("signature"),
        )
        part, digest = members.optional_digest("part"), members.optional_digest("digest")
        steps = []
        for entry in members.objects("steps"):
            steps.append(entry.text("step"))
            entry.end()
        members.end()
        if steps != [step for step in STEPS if step in steps]:
            raise members.error("steps", f"must be some of {', '.join(STEPS)}, in this order")
        return cls(inputs, part, digest, tuple(steps))


def _text(digest: Digest | None) -> str | None:
    return str(digest) if digest else None
