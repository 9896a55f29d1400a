"""Consumer identities: who needs a secret, and which configured identity fits best.

The rule is that of the reference (v2): the path is a glob, scheme and host are equal, ports are
equal after the defaults of the scheme, and all other attributes are equal on both sides; so a
missing port never fits a port that is not the default. ``pathprefix``, of the older tool, fits
whole path components from the start. Of several that fit the most specific one wins.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.model.identity import Identity

OCI_REGISTRY = "OCIRegistry"
RSA = "RSA/v1alpha1"
GPG = "GPG/v1alpha1"

_HOSTNAME, _PORT, _SCHEME, _PATH, _PREFIX = "hostname", "port", "scheme", "path", "pathprefix"
_LOCATION = frozenset({_HOSTNAME, _PORT, _SCHEME, _PATH, _PREFIX})
_PORTS: Mapping[str, str] = {"https": "443", "http": "80"}
_WILDCARD = re.compile(r"\[[^]]*\]|[*?]")
_MAX_PATTERN = 1000


def fits(configured: Identity, requested: Identity) -> bool:
    """Whether the secret of a configured identity may be given to the requested one."""
    return (
        _path_fits(configured, requested)
        and _url_fits(configured, requested)
        and _others(configured) == _others(requested)
    )


def most_specific(identities: Sequence[Identity], requested: Identity) -> int | None:
    """Return which of ``identities`` to take for the requested one; None if none fits.

    An equal one wins, then the one that says most about the path, then one with a scheme, then
    one with a port; among equally specific ones the last.
    """
    wanted = dict(requested)
    ranked = [
        ((dict(configured) == wanted, *_specificity(configured)), index)
        for index, configured in enumerate(identities)
        if dict(configured) == wanted or fits(configured, requested)
    ]
    return max(ranked)[1] if ranked else None


def default_port(scheme: str | None) -> str:
    """Return the port of a scheme; without one (or with ``oci``) that of https."""
    return _PORTS.get(_scheme(scheme or ""), _PORTS["https"])


def glob_matches(pattern: str, path: str) -> bool:
    """Whether a glob (``*``, ``?``, ``[...]``, none of which crosses ``/``) fits a whole path."""
    parts, names = pattern.split("/"), path.split("/")
    if len(parts) != len(names) or len(pattern) > _MAX_PATTERN:
        return False
    # The reference negates a set with ^, as Go does.
    return all(
        fnmatchcase(name, part.replace("[^", "[!")) for part, name in zip(parts, names, strict=True)
    )


def _others(identity: Identity) -> dict[str, str]:
    return {name: value for name, value in identity.items() if name not in _LOCATION}


def _path_fits(configured: Identity, requested: Identity) -> bool:
    path = requested.get(_PATH) or requested.get(_PREFIX, "")
    path = path.strip("/")
    prefix = configured.get(_PREFIX, "").strip("/")
    if prefix and path != prefix and not path.startswith(f"{prefix}/"):
        return False
    pattern = configured.get(_PATH, "").strip("/")
    return not pattern or glob_matches(pattern, path)


def _url_fits(configured: Identity, requested: Identity) -> bool:
    schemes = [_scheme(one.get(_SCHEME, "")) for one in (configured, requested)]
    if all(schemes) and schemes[0] != schemes[1]:
        return False
    if configured.get(_HOSTNAME, "").lower() != requested.get(_HOSTNAME, "").lower():
        return False
    default = default_port(schemes[0] or schemes[1])
    return (configured.get(_PORT) or default) == (requested.get(_PORT) or default)


def _scheme(text: str) -> str:
    scheme = text.lower()
    return "https" if scheme == "oci" else scheme


def _specificity(identity: Identity) -> tuple[int, int, bool, bool, bool]:
    """Say how much an identity that fits demands: the path first, because it tells tenants apart.

    The port comes last: after the defaults two identities that fit have the same.
    """
    pattern, prefix = identity.get(_PATH, "").strip("/"), identity.get(_PREFIX, "").strip("/")
    depth = max(len(text.split("/")) if text else 0 for text in (pattern, prefix))
    literal = max(len(_WILDCARD.sub("", pattern)), len(prefix))
    return depth, literal, bool(pattern), _SCHEME in identity, _PORT in identity
