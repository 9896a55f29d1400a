"""Lists that a registry gives page by page: tags, repositories, referrers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from ocm_pkg.errors import RegistryError, escaped
from ocm_pkg.store.client import Scope
from ocm_pkg.store.origin import Origin, join
from ocm_pkg.store.refusal import refused
from ocm_pkg.store.remote import is_name, is_tag, read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ocm_pkg.store.client import RegistryClient
    from ocm_pkg.store.exchange import Headers, Response
    from ocm_pkg.store.remote import Remote

PAGE = 1000
MAX_PAGES = 1000
MAX_ENTRIES = 100_000

_PARAMETER = r"""\s*+;\s*+([^\s;,="]++)\s*+(?:=\s*+(?:"([^"]*+)"|([^\s;,"]*+)))?+"""
_LINK = re.compile(rf"\s*+<([^<>]*+)>((?:{_PARAMETER})*+)\s*+(?:,|$)")
_ONE = re.compile(_PARAMETER)


def next_link(headers: Headers) -> str | None:
    """Return the target of the ``Link`` (RFC 8288) to the next page, if there is one."""
    for value in headers.all("Link"):
        at = 0
        while match := _LINK.match(value, at):
            parameters = {one[1].lower(): one[2] or one[3] or "" for one in _ONE.finditer(match[2])}
            if "next" in parameters.get("rel", "").lower().split():
                return match[1].strip()
            if match.end() == len(value):
                break
            at = match.end()
    return None


def pages(get: Callable[[str], Response | None], url: str, what: str) -> Iterator[Response]:
    """Yield the answers from ``url`` on, each to be read by the caller, until ``get`` gives None.

    Raises ``RegistryError`` for a link to another origin or to a page that was there already, and
    for more pages than allowed.
    """
    seen = set[str]()
    while len(seen) < MAX_PAGES:
        seen.add(url)
        response = get(url)
        if response is None:
            return
        link, here = next_link(response.headers), response.url
        yield response
        if link is None:
            return
        url = join(here, link)
        if Origin.of(url) != Origin.of(here):
            raise RegistryError(
                f"{what} goes on at {escaped(str(Origin.of(url)), 200)}, and not in the registry",
                hint="nothing is asked there; the registry, or a proxy before it, is hostile or "
                "set up wrongly",
            )
        if url in seen:
            raise RegistryError(f"{what} has no end: a page leads back to one before it")
    raise RegistryError(f"{what} has more than {MAX_PAGES} pages")


def all_tags(remote: Remote) -> Sequence[str]:
    """Return all tags of a repository, sorted, each once; empty if there is no such repository.

    Raises ``RegistryError`` for a web page, which is no registry's answer.

    What can't be a tag is left out. Where the registry gives no links to further pages, and a page
    is full, it is asked for what comes after the last tag.
    """
    what = f"the list of tags of {remote.name}"
    first = f"{remote.url('tags', 'list')}?n={PAGE}"
    found = set[str]()
    url = first
    while True:
        known, last = len(found), ""
        for response in pages(lambda url: _tags_page(remote, url), url, what):
            names = names_of(response, "tags", what)
            found.update(name for name in names if is_tag(name))
            check_count(len(found), what)
            last = names[-1] if len(names) == PAGE else ""
        # A full page without a link to the next one: most often it is the last, but not for sure.
        if not is_tag(last) or len(found) == known:
            return sorted(found)
        url = f"{first}&last={quote(last, safe='')}"


def _tags_page(remote: Remote, url: str) -> Response | None:
    response = remote.call("GET", url, expect={200, 404})
    if response.status == 404:
        if response.page_hint is not None:
            # Not a registry: that there is no such repository there would mislead.
            raise refused(response, "GET")
        response.close()
        return None
    return response


def names_of(response: Response, member: str, what: str) -> list[str]:
    """Return the texts that an answer lists; null is no texts, all else a ``RegistryError``."""
    value = read_json(response, what)
    names = value.get(member) if isinstance(value, dict) else ...
    if names is None:
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RegistryError(f"{what} is no list of names", status=response.status)
    return [name for name in names if isinstance(name, str)]


def check_count(count: int, what: str) -> None:
    """Raise ``RegistryError`` if a list is longer than allowed."""
    if count > MAX_ENTRIES:
        raise RegistryError(f"{what} has more than {MAX_ENTRIES} entries")


def all_repositories(client: RegistryClient) -> Sequence[str]:
    """Return the names of all repositories, sorted; the errors of the client, and of ``pages``."""
    what = f"the list of repositories of {client.origin}"
    found = set[str]()

    def get(url: str) -> Response:
        return client.call("GET", url, scope=Scope.catalog(), expect={200})

    for response in pages(get, f"/v2/_catalog?n={PAGE}", what):
        found.update(name for name in names_of(response, "repositories", what) if is_name(name))
        check_count(len(found), what)
    return sorted(found)
