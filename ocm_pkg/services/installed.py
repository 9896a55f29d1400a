"""What is installed: list it, show one, take one away."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ocm_pkg.errors import IntegrityError, OcmPkgError, PluginNotFoundError
from ocm_pkg.fs.installation import Installation, checked_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.fs.installation import Generation, Place

_log = logging.getLogger(__name__)
LOCK_TIMEOUT = 60.0


def installed(place: Place, *, full: bool = False) -> Sequence[Installation]:
    """Return the plugins that were installed into the plugin folder, by name.

    With ``full`` every file is hashed, else only those that look touched. A plugin whose receipt
    is gone is logged and left out; ``show`` says what is wrong with it.
    """
    found = []
    for name in place.names():
        generation = place.installed(name)
        if generation is None:
            continue
        try:
            found.append(_installation(place, name, generation, full=full))
        except IntegrityError as error:
            _log.warning("%s", error)
    return found


def show(name: str, place: Place, *, full: bool = False) -> Installation:
    """Return one installed plugin.

    Raises ``PluginNotFoundError``, or ``IntegrityError`` if its receipt is gone or damaged.
    """
    return _installation(place, name, _generation(name, place), full=full)


def remove(name: str, place: Place, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
    """Take an installed plugin away, and all that no other one needs.

    A process that runs it is not disturbed. Raises ``PluginNotFoundError`` for a name that is not
    there or is not ours, which then stays as it is.
    """
    _generation(name, place)
    with place.locked(lock_timeout):
        _generation(name, place)
        place.remove(name)
        try:
            place.tidy()
        except OcmPkgError as error:
            _log.warning("cleaning up in %s: %s", place.data, error)


def _generation(name: str, place: Place) -> Generation:
    generation = place.installed(checked_name(name))
    if generation is None:
        known = ", ".join(place.names()) or "none"
        raise PluginNotFoundError(
            f"no installed plugin has the name {name!r} in {place.plugins}",
            hint=f"installed there: {known}",
        )
    return generation


def _installation(place: Place, name: str, generation: Generation, *, full: bool) -> Installation:
    receipt = generation.receipt()
    if receipt is None:
        raise IntegrityError(
            f"the receipt of {name} is gone or damaged",
            hint=f"install it again, or: ocm-pkg plugin remove {name}",
            at=str(generation.folder),
        )
    state = place.state(generation, full=full)
    return Installation(place.plugins / name, receipt, state, changed=False)
