"""Small component versions to store."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.descriptor import ComponentDescriptor, Resource, Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME = "ocm.test/open/plugins/demo"
NO_ACCESS = AccessSpec(type="none")


def resource(name="demo", version="1.0.0", media_type=None, **extra_identity) -> Resource:
    """Return a resource without content yet."""
    value = {
        "name": name,
        "version": version,
        "type": "ocmPlugin",
        "relation": "local",
        "access": {"type": "none", "mediaType": media_type} if media_type else {"type": "none"},
    }
    if extra_identity:
        value["extraIdentity"] = extra_identity
    return Resource.model_validate(value)


def source(name="code", version="1.0.0") -> Source:
    """Return a source without content yet."""
    return Source.model_validate(
        {"name": name, "version": version, "type": "git", "access": {"type": "none"}}
    )


def descriptor(
    name=NAME, version="1.0.0", resources: Sequence[Resource] = (), sources: Sequence[Source] = ()
) -> ComponentDescriptor:
    """Return a descriptor with these elements."""
    return ComponentDescriptor.from_json(
        {
            "meta": {"schemaVersion": "v2"},
            "component": {
                "name": name,
                "version": version,
                "provider": "ocm.test",
                "repositoryContexts": [],
                "resources": [each.to_json() for each in resources],
                "sources": [each.to_json() for each in sources],
                "componentReferences": [],
            },
        },
        name="a test's descriptor",
    )


def stored(repository, name=NAME, version="1.0.0", content=b"content", **extra_identity):
    """Store a component version with one resource; return its descriptor."""
    from ocm_pkg.fs.blob import BytesBlob

    blob = BytesBlob(content, "application/octet-stream")
    element = repository.put_blob(name, version, resource(**extra_identity), blob)
    result = descriptor(name, version, [element])
    repository.add(result)
    return result


def artifact_set(files: Mapping[str, bytes | None]) -> bytes:
    """Return a gzipped tar with these files; None is a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            member.size = len(data or b"")
            archive.addfile(member, io.BytesIO(data or b""))
    return out.getvalue()
