"""The answer to ``capabilities`` that a launcher carries, held against its program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocm_pkg.contract.capabilities import Capabilities
from ocm_pkg.errors import PluginProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping


def check_embedded(embedded: bytes, answer: Mapping[str, Any] | None, what: str) -> None:
    """Refuse a launcher whose answer is no answer, or another one than its program gave.

    ``embedded`` is empty if it carries none, ``answer`` is ``Capabilities.to_json()`` of what the
    program said, None if it was not asked. Raises ``PluginProtocolError``; ``what`` names it.
    """
    if not embedded:
        return
    hint = "ask its provider to build it anew; nothing was installed"
    try:
        said = Capabilities.parse(embedded).to_json()
    except PluginProtocolError as error:
        raise PluginProtocolError(f"{what} has a launcher: {error.message}", hint=hint) from error
    if answer is not None and said != answer:
        raise PluginProtocolError(f"{what} can do something else than its launcher says", hint=hint)
