"""A call's value, or the error of ours that it ended with."""

from __future__ import annotations

from ocm_pkg.errors import OcmPkgError


def outcome(function, *arguments, **keywords):
    """Return what the call returns, or the ``OcmPkgError`` that it raises."""
    try:
        return function(*arguments, **keywords)
    except OcmPkgError as error:
        return error
