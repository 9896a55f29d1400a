"""Where component versions live: one mapping, several stores."""

from importlib.util import find_spec


def has_registries() -> bool:
    """Whether this program was made with the client of OCI registries.

    ``build_scripts/freeze.py --without oci`` leaves it out: then a plugin does its work.
    """
    return find_spec("ocm_pkg.store.registries") is not None
