"""A repository with plugins, and a place to install them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ocm_pkg.fs.installation import Place
from ocm_pkg.model.platform import Platform
from ocm_pkg.services.install import Order, install
from tests.fakes.plugins_to_install import COMPONENT, good_probe, offer, signed, trust
from tests.fakes.repository import FakeRepository

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.fs.installation import Installation

LINUX = Platform("linux", "amd64")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class World:
    """A repository, a plugin folder and a data folder."""

    root: Path
    repository: FakeRepository = field(default_factory=FakeRepository)
    clock: datetime = NOW

    @property
    def place(self) -> Place:
        return Place(self.root / "plugins", self.root / "data")

    @property
    def link(self) -> Path:
        return self.place.plugins / "hello"

    def offer(self, version: str, key: str = "a", data: bytes | None = None) -> None:
        made = offer(self.repository, version, LINUX, data)
        self.repository.add(signed(made, key), replace=True)

    def order(self, version: str, **changes: Any) -> Order:
        return replace(Order(COMPONENT, version, "./ctf", LINUX), **changes)

    def install(self, version: str = "1.0.0", **arguments: Any) -> Installation:
        changes = arguments.pop("order", {})
        self.clock += timedelta(seconds=1)
        return install(
            self.order(version, **changes),
            **{
                "repository": self.repository,
                "trust": trust(),
                "place": self.place,
                "probe": good_probe,
                "now": self.clock,
                **arguments,
            },
        )

    def leftovers(self) -> list[str]:
        return [str(path) for path in self.root.rglob(".*")]
