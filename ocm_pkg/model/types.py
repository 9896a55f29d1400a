"""Type names of the specification that this tool reads or writes, and their other spellings."""

from __future__ import annotations

PLUGIN_RESOURCE = "ocmPlugin"
"""Type of a resource that is a plugin's program."""

CTF_REPOSITORY = "CommonTransportFormat/v1"
OCI_REPOSITORY = "OCIRepository/v1"

_REPOSITORY_KINDS = {
    "ctf": (
        CTF_REPOSITORY,
        ("CommonTransportFormat", "CTF", "CTF/v1", "ctf", "ctf/v1"),
    ),
    "oci": (
        OCI_REPOSITORY,
        (
            "OCIRepository",
            "OCIRegistry",
            "OCIRegistry/v1",
            "OCI",
            "OCI/v1",
            "oci",
            "oci/v1",
            "ociRegistry",
            "ociRegistry/v1",
        ),
    ),
}


def repository_kind(type_name: str) -> str:
    """Return ``ctf`` or ``oci`` for a repository type in any spelling; any other as it came."""
    for kind, (name, aliases) in _REPOSITORY_KINDS.items():
        if type_name == name or type_name in aliases:
            return kind
    return type_name


def repository_type(type_name: str) -> str:
    """Return the versioned name of a repository type; one that is not known here as it came."""
    for name, aliases in _REPOSITORY_KINDS.values():
        if type_name in aliases:
            return name
    return type_name


def repository_types(kind: str) -> tuple[str, ...]:
    """Return every spelling of a repository type, the versioned name first."""
    if kind not in _REPOSITORY_KINDS:
        return (kind,)
    name, aliases = _REPOSITORY_KINDS[kind]
    return (name, *aliases)
