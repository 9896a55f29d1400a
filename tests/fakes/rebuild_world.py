"""A published plugin with its provenance, and a machine that builds it again from fake sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ocm_pkg import __version__
from ocm_pkg.builders.inline import InlineExecutor
from ocm_pkg.builders.source import load_project
from ocm_pkg.flows.rebuild import Machine, Order, Place, rebuild
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.provenance import Provenance, SourceLocation
from ocm_pkg.model.shape import ShapeInfo, label
from ocm_pkg.ports import BuiltBinary
from tests.fakes.plugins_to_install import COMPONENT, descriptor, resource, signed, trust
from tests.fakes.repository import FakeRepository

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.builders.checkout import Origin
    from ocm_pkg.model.descriptor import ComponentDescriptor
    from ocm_pkg.model.project import Target
    from ocm_pkg.model.rebuilt import Rebuilt
    from ocm_pkg.ports import BuildJob

LINUX, ARM, MAC = (
    Platform("linux", "amd64"),
    Platform("linux", "arm64"),
    Platform("darwin", "arm64"),
)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
COMMIT = "c" * 40
REPOSITORY = "https://git.example.com/hello.git"
PROJECT = f"""\
formatVersion: 1
component: {COMPONENT}
version: 1.0.0
provider: example.com
build: {{builder: command, run: [make], output: out, shape: file}}
targets:
  - linux/amd64
  - linux/arm64
  - {{platform: darwin/arm64, builder: prebuilt, path: x}}
"""


@dataclass
class FakeBuilder:
    """Makes what ``made`` says, and can't build for the platforms of ``missing_for``."""

    made: dict[Platform, bytes]
    missing_for: dict[Platform, str] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)
    built: list[Platform] = field(default_factory=list)
    shape: str = "file"

    def missing(self, target: Target, host: Platform) -> str | None:  # noqa: ARG002
        return self.missing_for.get(target.platform)

    def build(self, job: BuildJob) -> BuiltBinary:
        self.built.append(job.target.platform)
        job.output.write_bytes(self.made[job.target.platform])
        program = "hello/hello" if self.shape == "dir" else None
        return BuiltBinary(job.output, job.target.platform, self.shape, self.tools, program=program)


@dataclass
class RebuildWorld:
    """A version with binaries and provenance; ``said`` changes what all of that says."""

    root: Path
    contents: dict[Platform, bytes] = field(
        default_factory=lambda: {LINUX: b"for amd64", ARM: b"for arm64"}
    )
    said: dict[str, Any] = field(default_factory=dict)
    without: tuple[Platform, ...] = ()
    project: str = PROJECT
    tools: dict[str, str] = field(default_factory=dict)
    here: dict[str, str] = field(default_factory=dict)
    is_signed: bool = True
    repository: FakeRepository = field(default_factory=FakeRepository)
    notes: list[str] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.builder = FakeBuilder(dict(self.contents))

    def provenance(self, platform: Platform, /, **changes: Any) -> Provenance:
        """Return what is said of the binary for ``platform``."""
        folder = self.root / "recorded"
        folder.mkdir(exist_ok=True)
        (folder / "ocm-pkg.yaml").write_text(PROJECT)
        target = load_project(folder).project.target(platform)
        members: dict[str, Any] = {
            "file": f"hello.{platform.os}-{platform.architecture}",
            "digest": digest_of(self.contents[platform]),
            "component": COMPONENT,
            "version": "1.0.0",
            "platform": platform,
            "builder": target.builder if target else "command",
            "shape": "file",
            "config": load_project(folder).config,
            "location": SourceLocation(REPOSITORY),
            "commit": COMMIT,
            "lock": None,
            "tools": {"ocm-pkg": __version__, **self.tools},
        }
        return Provenance(**{**members, **self.said, **changes})

    def publish(self, **by_platform: dict[str, Any]) -> ComponentDescriptor:
        """Store the version; ``by_platform`` changes provenance: ``linux_amd64={...}``."""
        resources = []
        for platform, data in self.contents.items():
            changes = by_platform.get(f"{platform.os}_{platform.architecture}", {})
            said = self.provenance(platform, **changes)
            info = ShapeInfo(said.shape, "hello/hello" if said.shape == "dir" else None)
            self.repository.blobs[digest_of(data)] = data
            resources.append(resource(data, platform, labels=[label(info)]))
            if platform in self.without:
                continue
            document = said.encode()
            self.repository.blobs[digest_of(document)] = document
            names = {"name": "hello-provenance", "type": "provenance"}
            resources.append(resource(document, platform, **names))
        made = descriptor("1.0.0", resources)
        made = signed(made) if self.is_signed else made
        self.repository.add(made, replace=True)
        return made

    def check_out(self, origin: Origin, folder: Path) -> bool:
        """Write the project's sources, as git would."""
        self.origins.append(origin)
        folder.mkdir()
        (folder / "ocm-pkg.yaml").write_text(self.project)
        return False

    @property
    def machine(self) -> Machine:
        """The machine, which notes what it does."""
        builders = {"command": self.builder, "prebuilt": self.builder}
        return Machine(
            host=LINUX,
            check_out=self.check_out,
            builders=lambda _project: builders,
            tools=lambda _target: self.here,
            executor=InlineExecutor(),
            note=self.notes.append,
        )

    def rebuild(
        self, made: ComponentDescriptor | None = None, keep: Path | None = None, **order: Any
    ) -> Rebuilt:
        """Build the version again."""
        work = self.root / f"work-{len(list(self.root.glob('work-*')))}"
        work.mkdir()
        return rebuild(
            Order(self.root, **order),
            repository=self.repository,
            descriptor=made or self.publish(),
            trust=trust(),
            now=NOW,
            machine=self.machine,
            place=Place(work, keep),
        )
