"""Where installed plugins are on disk, and how one of them is put there or taken away.

    DATA/store/sha256-HEX/               the content of one resource, read-only
    DATA/generations/NAME/VERSION-HEX/   receipt.json, and ``program``: a link into the store
    DATA/receipts/NAME.json              link to the receipt that was written last
    DATA/folders/HEX                     link to each plugin folder that uses this data folder
    PLUGINS/NAME                         link to the ``program`` of one generation

What is installed is what ``PLUGINS/NAME`` leads to: making or replacing that link is the commit.
All else is prepared before it or can be derived from it, and ``tidy`` does both after a crash.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocm_pkg._typing import override
from ocm_pkg.errors import AlreadyExistsError, LocalStorageError, OcmPkgError, UsageError
from ocm_pkg.fs.atomic import (
    TEMPORARY_PREFIX,
    FolderLock,
    clean_leftovers,
    folder_for,
    make_folder,
    missing_folders,
    remove_empty,
    remove_tree,
    replace_link,
    storage_errors,
    sync_folder,
)
from ocm_pkg.fs.filestate import state_of
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.fs.filestate import State
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import FailPoint

PROGRAM = "program"
RECEIPT = "receipt.json"
MAX_RECEIPT = 4 * 1024 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


def checked_name(name: str) -> str:
    """Return ``name`` if a plugin can be installed under it, or raise ``UsageError``.

    Lower-case letters, digits, ``_`` and ``-``: other managers skip a name with a dot, and it is
    part of paths.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:100]!r} can't be the name of an installed plugin",
            hint="use lower-case letters, digits, - and _, without dots: --as NAME",
        )
    return name


def name_for(component: str) -> str:
    """Return the name under which a component's plugin is installed: the last segment."""
    return checked_name(component.rpartition("/")[2])


@dataclass(frozen=True, slots=True)
class Generation:
    """One installed version: the folder with its receipt and the link to its program."""

    folder: Path

    @property
    def program(self) -> Path:
        """The link to the program in the store."""
        return self.folder / PROGRAM

    def receipt(self) -> Receipt | None:
        """Return the receipt; None if it is gone or can't be read."""
        path = self.folder / RECEIPT
        try:
            if path.lstat().st_size > MAX_RECEIPT:
                return None
            return Receipt.parse(path.read_bytes(), str(path))
        except (OSError, OcmPkgError):
            return None

    @property
    def content(self) -> str | None:
        """The name of the folder in the store that this generation runs."""
        with contextlib.suppress(OSError):
            parts = self.program.readlink().parts
            if "store" in parts[:-1]:
                return parts[parts.index("store") + 1]
        return None


@dataclass(frozen=True, slots=True)
class Installation:
    """An installed plugin: its link, its receipt, and whether its files are as installed.

    ``changed`` is false if an installation found nothing to do.
    """

    path: Path
    receipt: Receipt
    state: State
    changed: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``plugin install -o json`` and ``plugin list -o json`` promise."""
        receipt = self.receipt
        signature = receipt.signature
        return {
            "name": receipt.name,
            "component": receipt.component,
            "version": receipt.version,
            "platform": str(receipt.platform),
            "path": str(self.path),
            "digest": str(receipt.resource.digest),
            "signature": signature and {"name": signature.name, "signer": signature.signer},
            "source": receipt.source,
            "verified": self.verified,
            "state": self.state,
        }

    @property
    def verified(self) -> list[str]:
        """The checks that were made when it was installed."""
        checks = {
            "signature": self.receipt.signature is not None,
            "digest": True,
            "platform": True,
            "capabilities": bool(self.receipt.capabilities),
        }
        return [check for check, done in checks.items() if done]


@dataclass(frozen=True, slots=True)
class Place:
    """A plugin folder and the data folder behind it; neither has to exist yet."""

    plugins: Path
    data: Path

    @property
    def store(self) -> Path:
        """The folder of contents."""
        return self.data / "store"

    @property
    def generations(self) -> Path:
        """The folder of generations, by name."""
        return self.data / "generations"

    @property
    def receipts(self) -> Path:
        """The folder of links to receipts."""
        return self.data / "receipts"

    @property
    def folders(self) -> Path:
        """The folder of links to plugin folders."""
        return self.data / "folders"

    def content(self, digest: Digest) -> Path:
        """Return where the content of a blob belongs in the store."""
        return self.store / f"{digest.algorithm}-{digest.hex}"

    @contextlib.contextmanager
    def locked(self, timeout: float) -> Iterator[None]:
        """Hold the data folder for changes; others wait, up to ``timeout`` s.

        It is made first, and taken away again if it is new and still empty at the end.
        """
        made = missing_folders(self.data)
        with _NewFolderLock(self.data, timeout):
            try:
                yield
            finally:
                remove_empty(made)

    def installed(self, name: str) -> Generation | None:
        """Return what ``name`` in the plugin folder leads to; None if it is not one of ours."""
        return self._generation_of(self.plugins / name)

    def names(self) -> list[str]:
        """Return the names in the plugin folder that are links of ours, sorted."""
        with storage_errors(f"reading {self.plugins}", self.plugins):
            return sorted(name for name, _generation in self._links(self.plugins))

    def state(self, generation: Generation, *, full: bool = False) -> State:
        """Return whether the files of a generation are as its receipt says; see ``state_of``."""
        receipt = generation.receipt()
        if receipt is None or generation.content is None:
            return "missing"
        program = generation.folder / generation.program.readlink()
        if not program.exists():
            return "missing"
        if program.resolve() != (self.data / receipt.program).resolve():
            return "changed"
        return state_of(self.store / generation.content, receipt.files, full=full)

    def check_free(self, name: str) -> None:
        """Raise ``AlreadyExistsError`` unless ``name`` is free in the plugin folder, or our link.

        ``LocalStorageError`` for a plugin folder that is a file. A missing folder is fine.
        """
        there = self._nearest()
        if not there.is_dir():
            raise LocalStorageError(
                f"the plugin folder {self.plugins} can't be used: {there} is no folder",
                hint="move it away, or choose another folder with --plugin-directory",
            )
        link = self.plugins / name
        if os.path.lexists(link) and self._generation_of(link) is None:
            raise AlreadyExistsError(
                f"{link} is there already and was not installed by ocm-pkg",
                hint="move it away, or choose another name with --as NAME",
            )

    def check_writable(self) -> None:
        """Raise ``LocalStorageError`` if the plugin folder can't be written to, or made."""
        effective = os.access in os.supports_effective_ids
        if not os.access(self._nearest(), os.W_OK | os.X_OK, effective_ids=effective):
            raise LocalStorageError(
                f"the plugin folder {self.plugins} is read-only or not permitted",
                hint="choose another folder with --plugin-directory",
            )

    def _nearest(self) -> Path:
        """Return the plugin folder, or what there is of the way to it."""
        there = self.plugins
        while not os.path.lexists(there) and there != there.parent:
            there = there.parent
        return there

    def commit(
        self, staged: Path, generation: Generation, name: str, fail_point: FailPoint
    ) -> None:
        """Make ``name`` in the plugin folder lead to ``generation``: at once, or not at all.

        ``staged`` is a folder for the link while it has no name. Raises ``LocalStorageError``,
        ``NoSpaceError``, and ``AlreadyExistsError`` if something else is in the way.
        """
        self.check_free(name)
        with folder_for(self.plugins):
            self._register()
            self._put_link(staged, generation, name, fail_point)
        fail_point("install.committed")

    def _put_link(
        self, staged: Path, generation: Generation, name: str, fail_point: FailPoint
    ) -> None:
        link = self.plugins / name
        fail_point("install.link")
        with storage_errors(f"installing {link}", self.plugins):
            temporary = staged / "link"
            temporary.symlink_to(generation.program)
            fail_point("install.commit")
            try:
                temporary.replace(link)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                replace_link(link, generation.program)
            sync_folder(self.plugins)

    def remove(self, name: str) -> None:
        """Take away the link ``name``, which must be one of ours."""
        with storage_errors(f"removing {self.plugins / name}", self.plugins):
            (self.plugins / name).unlink()
            sync_folder(self.plugins)

    def tidy(self) -> None:
        """Remove what no installed plugin needs, heal the links to receipts; needs the lock.

        Kept are the generations that a plugin folder leads to, for each of them the one before,
        and their content.
        """
        clean_leftovers(self.data)
        clean_leftovers(self.plugins)
        with storage_errors(f"cleaning {self.data}", self.data):
            try:
                live = self._live()
            except PermissionError:
                return  # Nothing may go while a plugin folder hides what it needs.
            kept = self._with_previous(live)
            for generation in self._all_generations():
                if generation.folder not in kept:
                    remove_tree(generation.folder)
            contents = {Generation(folder).content for folder in kept}
            for content in _entries(self.store):
                if content.name not in contents:
                    remove_tree(content)
            self._heal_receipts(live)
            ours = [self.store, self.generations, self.receipts, self.folders]
            remove_empty([*_entries(self.generations), *ours])

    def _generation_of(self, link: Path) -> Generation | None:
        try:
            target = link.readlink()
        except OSError:
            return None
        folder = target.parent
        ours = target.name == PROGRAM and folder.parent == self._generations_root() / link.name
        return Generation(folder) if ours else None

    def _generations_root(self) -> Path:
        return self.data.resolve() / "generations"

    def _links(self, folder: Path) -> Iterator[tuple[str, Generation]]:
        for entry in _entries(folder):
            if (generation := self._generation_of(entry)) is not None:
                yield entry.name, generation

    def _register(self) -> None:
        """Note the plugin folder, so that what it needs is kept when another one changes."""
        make_folder(self.folders)
        key = digest_of(os.fsencode(self.plugins.resolve())).hex[:32]
        if not (self.folders / key).is_symlink():
            replace_link(self.folders / key, self.plugins.resolve())

    def _live(self) -> dict[Path, str]:
        """Return the generations that plugin folders lead to, with their names."""
        live = {generation.folder: name for name, generation in self._links(self.plugins)}
        for note in _entries(self.folders):
            found = {generation.folder: name for name, generation in self._links(note)}
            live |= found
            if not found:
                note.unlink()
        return live

    def _with_previous(self, live: dict[Path, str]) -> set[Path]:
        kept = set(live)
        for folder in live:
            receipt = Generation(folder).receipt()
            if receipt is not None and receipt.previous is not None:
                before = [
                    (older.installed, other)
                    for other in _entries(folder.parent)
                    if other != folder and (older := Generation(other).receipt()) is not None
                    if older.version == receipt.previous and older.installed < receipt.installed
                ]
                kept |= {other for _when, other in sorted(before)[-1:]}
        return kept

    def _all_generations(self) -> Iterator[Generation]:
        root = self._generations_root()
        for name in _entries(root):
            for folder in _entries(name):
                yield Generation(folder)

    def _heal_receipts(self, live: dict[Path, str]) -> None:
        newest: dict[str, tuple[str, Path]] = {}
        for folder, name in live.items():
            receipt = Generation(folder).receipt()
            if receipt is not None:
                newest[name] = max(newest.get(name, ("", folder)), (receipt.installed, folder))
        for link in _entries(self.receipts):
            if link.name.removesuffix(".json") not in newest:
                link.unlink()
        for name, (_when, folder) in newest.items():
            link = self.receipts / f"{name}.json"
            target = Path("..", "generations", name, folder.name, RECEIPT)
            if not link.is_symlink() or link.readlink() != target:
                make_folder(self.receipts)
                replace_link(link, target)


class _NewFolderLock(FolderLock):
    """A lock on a folder that is made first, and may vanish while others wait for it."""

    @override
    def _open(self) -> int:
        while True:
            make_folder(self.path)
            with contextlib.suppress(FileNotFoundError):
                return super()._open()


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted, without temporary entries; nothing if it is missing.

    Raises ``OSError`` if the folder can't be read.
    """
    try:
        return sorted(
            entry for entry in folder.iterdir() if not entry.name.startswith(TEMPORARY_PREFIX)
        )
    except (FileNotFoundError, NotADirectoryError):
        return []
