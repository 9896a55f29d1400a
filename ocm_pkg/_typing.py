"""``override`` for Python 3.11, whose ``typing`` has none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method: object) -> object:
        """Mark a method that replaces one of a base class."""
        return method


__all__ = ["override"]
