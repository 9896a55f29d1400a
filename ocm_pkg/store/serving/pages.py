"""Lists of names, a page at a time: ``n``, ``last`` and the ``Link`` to the next page; pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ocm_pkg.store.serving.message import RefusedError, Response
from ocm_pkg.store.serving.routes import parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.store.serving.message import Request


@dataclass(frozen=True, slots=True)
class Page:
    """The names of one page; ``more`` if others follow, ``count`` as the client asked for."""

    items: list[str]
    more: bool
    count: int

    def response(self, path: str, value: object) -> Response:
        """Return the answer with ``value``, and the link to the next page if there is one."""
        if not self.more or not self.items:
            return Response.json(200, value)
        query = urlencode({"last": self.items[-1], "n": self.count})
        return Response.json(200, value, {"Link": f'<{path}?{query}>; rel="next"'})


def page(names: Sequence[str], request: Request, most: int) -> Page:
    """Return the page of sorted ``names`` that the query asks for, of at most ``most`` names."""
    wanted = parameters(request.query)
    start = bisect_right(names, wanted["last"]) if "last" in wanted else 0
    count = _count(wanted.get("n"), most)
    items = list(names[start : start + count])
    return Page(items, start + count < len(names), count)


def _count(text: str | None, most: int) -> int:
    if text is None:
        return most
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise RefusedError(400, "PAGINATION_NUMBER_INVALID", "n is not a number of names")
    return min(int(text), most)
