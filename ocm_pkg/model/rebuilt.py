"""What came of building a published version again: the same bytes, or the first difference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ocm_pkg._typing import override
from ocm_pkg.errors import IntegrityError, escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.platform import Platform

IDENTICAL, DIFFERENT, NOT_BUILT, PARTIAL = "identical", "different", "not built", "partial"
PLANNED = "would build"
"""The result of what a dry run leaves out."""

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing in which what was built differs from what was published.

    ``where`` leads to it, outermost first: the part of a launcher, the file in an archive, the
    entry in a program. ``what`` is ``content``, ``size``, ``mode``, ``link``, ``kind``, ``entry``
    (another one is there, or none), ``headers`` (only what an archive says of its files besides),
    or ``compression`` (what was packed is the same). ``offset`` is the first byte that differs, in
    what ``where`` leads to; ``published`` and ``rebuilt`` say what is there, where that is short.
    """

    what: str
    where: tuple[str, ...] = ()
    offset: int | None = None
    published: str | None = None
    rebuilt: str | None = None

    def inside(self, *outer: str) -> Difference:
        """Return the same difference, seen from further outside."""
        return replace(self, where=(*outer, *self.where))

    def to_json(self) -> dict[str, Any]:
        """Return ``{"where", "what", "offset"?, "published"?, "rebuilt"?}``."""
        value: dict[str, Any] = {"where": list(self.where), "what": self.what}
        if self.offset is not None:
            value["offset"] = self.offset
        if self._has_sides:
            value |= {"published": self.published, "rebuilt": self.rebuilt}
        return value

    @property
    def _has_sides(self) -> bool:
        return self.published is not None or self.rebuilt is not None

    @override
    def __str__(self) -> str:
        text = f"the {self.what} differs"
        if self.what == "compression":
            text = "only the compression differs, unpacked it is the same"
        if self.what == "headers":
            text = "only the archive's headers differ"
        if self._has_sides:
            published, rebuilt = (
                "nothing" if side is None else escaped(side, _LONGEST)
                for side in (self.published, self.rebuilt)
            )
            text += f": published {published}, rebuilt {rebuilt}"
        if self.offset is not None:
            text += f", from byte {self.offset} on"
        return "".join(f"{escaped(part, _LONGEST)}: " for part in self.where) + text


def other_tools(recorded: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Return a line per tool of ``here`` that is another one than was recorded, sorted."""
    return [
        f"{name}: recorded {recorded.get(name, 'none')}, here {version}"
        for name, version in sorted(here.items())
        if recorded.get(name, "none") != version
    ]


@dataclass(frozen=True, slots=True)
class RebuiltTarget:
    """What came of one target; ``reason`` says why it was not built."""

    platform: Platform
    result: str
    published: Digest | None = None
    rebuilt: Digest | None = None
    reason: str | None = None
    difference: Difference | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``targets``."""
        return {
            "platform": str(self.platform),
            "result": self.result,
            **({"reason": self.reason} if self.reason is not None else {}),
            "published": str(self.published) if self.published else None,
            "rebuilt": str(self.rebuilt) if self.rebuilt else None,
            **({"difference": self.difference.to_json()} if self.difference else {}),
        }


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of a rebuild of ``commit``, taken from ``repository``."""

    component: str
    version: str
    repository: str
    commit: str
    targets: tuple[RebuiltTarget, ...]

    @property
    def result(self) -> str:
        """``different`` if a target is, ``identical`` if all are, else ``partial``.

        After a dry run it is ``would build``.
        """
        results = {target.result for target in self.targets}
        if results == {IDENTICAL}:
            return IDENTICAL
        return next((one for one in (DIFFERENT, PLANNED) if one in results), PARTIAL)

    def to_json(self) -> dict[str, Any]:
        """Return what ``rebuild -o json`` prints."""
        return {
            "component": self.component,
            "version": self.version,
            "result": self.result,
            "source": {"repository": self.repository, "commit": self.commit},
            "targets": [target.to_json() for target in self.targets],
        }

    @property
    def error(self) -> IntegrityError | None:
        """The error that a difference is; None without one."""
        differing = [target for target in self.targets if target.result == DIFFERENT]
        if not differing:
            return None
        names = ", ".join(str(target.platform) for target in differing)
        return IntegrityError(
            f"{self.component}:{self.version} is not what commit {self.commit} gives: {names}",
            hint="keep both sides with --keep DIR, and ask its provider to explain it",
            detail=[f"{target.platform}: {target.difference}" for target in differing],
        )
